"""The losses of a variant's first run as SVG, out of the lines that its training wrote."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ganbench import formatting as fmt
from ganbench.charts import chart_of
from ganbench.errors import BadInput
from ganbench.files import read_limited, sha256_file
from ganbench.html import render
from ganbench.leaderboard.board import Named
from ganbench.track import TrackFolder

FOLDER = "losses"
_LARGEST = 4 << 20  # bytes: some two hundred lines of losses are far less
_BESIDE = ("step", "flops", "kimg", "seconds")  # what a line holds beside losses


def drawing(path: Path) -> str | None:
    """The drawing of `losses/VARIANT.jsonl`; None where there are too few lines for one.

    Raises BadInput where the file is none of a training's.
    """
    lines = [_line(path, text) for text in read_limited(path, _LARGEST, what="the losses of a run").splitlines()]
    if len(lines) < 2:
        return None
    names = [name for name in lines[0] if name not in _BESIDE]
    columns = {"steps": [line["step"] for line in lines]}
    columns |= {name: [line.get(name) for line in lines] for name in names}
    chart = chart_of(columns)
    return None if chart is None else render("losses.svg", chart=chart, name=path.stem).strip() + "\n"


def loss_faults(place: TrackFolder, records: Sequence[Named]) -> Iterator[str]:
    """Losses that are not those of the record that they are said to be of, one sentence each, with the file."""
    first = place.track.seeds[0]
    told = {each.record.variant: each for each in records if each.record.seed == first}
    for path in sorted((place.folder / FOLDER).glob("*.jsonl")):
        named, name = told.get(path.stem), path.relative_to(place.folder).as_posix()
        if named is None:
            yield f"{name}: there is no record of {fmt.printable(path.stem)}, seed {first}, that it could be of."
        elif named.record.artifacts.get("metrics.jsonl") != sha256_file(path):
            yield f"{name}: its sha256 is not that of metrics.jsonl in {named.file}: one of them is of another run."


def _line(path: Path, text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{path} holds a line that is no JSON. Take the file away, or run the variant again.") from error
    numbers = isinstance(line, dict) and all(isinstance(v, int | float | None) for v in line.values())
    if not numbers or not isinstance(line.get("step"), int):
        raise BadInput(f"{path} holds a line that is none of losses. Take the file away, or run the variant again.")
    found: dict[str, Any] = line
    return found
