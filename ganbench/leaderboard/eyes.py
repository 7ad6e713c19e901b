"""What people said of variants: scores of human studies beside the metrics, never ranked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganbench import formatting as fmt
from ganbench.hype import MAIN, HumanScore, read_human_score
from ganbench.leaderboard.board import EyesCell, EyesColumn, Named
from ganbench.serialize import canonical_sha256
from ganbench.track import TrackFolder

FOLDER = "human"


@dataclass(frozen=True)
class Looked:
    """The score of a study and the name of its file."""

    file: str
    variant: str
    score: HumanScore


def looked(path: Path, place: TrackFolder) -> Looked:
    """A file of `human/`, whose name is VARIANT-PROTOCOL.json. Raises BadInput where it is no score of a study."""
    score = read_human_score(path)
    return Looked(path.relative_to(place.folder).as_posix(), path.stem.removesuffix(f"-{score.protocol}"), score)


def eyes_faults(found: Sequence[Looked], records: Sequence[Named], place: TrackFolder) -> Iterator[str]:
    """Why studies may not stand on a board, one sentence each, beginning with the file."""
    for each in found:
        variant, score = each.variant, each.score
        if not Path(each.file).stem.endswith(f"-{score.protocol}"):
            yield f"{each.file}: its protocol is {score.protocol}, so its name must end in -{score.protocol}.json."
        if variant not in place.track.variants:
            yield f"{each.file}: {fmt.printable(variant)} is no variant of the track. Name it VARIANT-PROTOCOL.json."
            continue
        finals = [named.record.final for named in records if named.record.variant == variant and named.record.final]
        if score.fake.fingerprint not in {final.samples.fingerprint for final in finals}:
            yield (
                f"{each.file}: its fakes ({fmt.short(score.fake.fingerprint)}) are not the final samples of a record "
                f"of {variant}. Make the study of them: ganbench human new STUDY --fake RUN, the folder of the run."
            )
    for protocol in MAIN:
        yield from _unlike([each for each in found if each.score.protocol == protocol])


def _unlike(found: Sequence[Looked]) -> Iterator[str]:
    """Studies of one column ask the same of raters, about the same reals."""
    for each in found[1:]:
        if _asked(each.score) != _asked(found[0].score):
            yield (
                f"{each.file}: its settings or its reals differ from those of {found[0].file}: such scores do not "
                "stand in one column."
            )


def _asked(score: HumanScore) -> str:
    """What must be equal; pools may have several sizes, for models have several numbers of samples."""
    settings = {key: value for key, value in score.settings.items() if key != "images"}
    return canonical_sha256([settings, score.real.fingerprint])


def eyes_columns(found: Sequence[Looked]) -> list[EyesColumn]:
    """One column for each protocol of which there is a study."""
    columns = []
    for protocol, key in MAIN.items():
        here = [each for each in found if each.score.protocol == protocol]
        if here:
            cells = {each.variant: _cell(each) for each in here}
            columns.append(EyesColumn(key=key, label=here[0].score.main.label, cells=cells))
    return columns


def _cell(each: Looked) -> EyesCell:
    main = each.score.main
    return EyesCell(file=each.file, value=main.value, ci95=main.ci95, unit=main.unit, raters=each.score.raters.counted)
