"""What may stand on one board."""

from dataclasses import replace
from pathlib import Path

import pytest

from ganbench.bench.company import check_company
from ganbench.errors import UsageError
from ganbench.track import TrackFolder, open_track, track_folders

SHIPPED = sorted(track_folders())


def with_variants(*variants: str, kind: str = "controlled") -> TrackFolder:
    place = open_track("fashion-mnist-pico")
    track = replace(place.track, variants=list(variants), kind=kind, settings={})  # type: ignore[arg-type]
    return replace(place, folder=Path("tiny"), track=track)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_tracks_that_are_there_keep_the_rules(name: str) -> None:
    check_company(open_track(name))


@pytest.mark.parametrize(
    ("variants", "what"),
    [
        (("ns-gan", "acgan"), "learn from labels with others that do not: acgan do"),
        (("ns-gan", "sgan"), "learn from labels"),
        (("ns-gan", "ns-gan+diffaugment"), "augment what D sees with others that do not: ns-gan.diffaugment do"),
        (("ns-gan", "glow"), "controlled: all its variants have the backbone's networks, and glow bring"),
        (("ns-gan", "began", "ddpm"), "and began, ddpm bring"),
    ],
)
def test_what_does_not_compare_is_refused(variants: tuple[str, ...], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        check_company(with_variants(*variants))


def test_what_compares_is_not() -> None:
    check_company(with_variants("ns-gan", "ns-gan+ttur", "ns-gan+label-smoothing+feature-matching"))
    check_company(with_variants("acgan", "cgan"))
    check_company(with_variants("ns-gan+ada", "ns-gan+diffaugment"))
    check_company(with_variants("ns-gan", "glow", "ddpm", "began", kind="native"))


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match="Unknown technique 'ttor'"):
        check_company(with_variants("ns-gan+ttor"))
    with pytest.raises(UsageError, match="names a technique twice"):
        check_company(with_variants("ns-gan+ttur+ttur"))
