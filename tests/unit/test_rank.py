"""Ranks against figures worked out by hand, intervals against every resample there is."""

import hashlib
import itertools
import math
import random
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_boards import SyntheticTrack, filled, result, scores, synthetic_track

from ganbench.anchors import read_anchors
from ganbench.bench.recipe import Recipe
from ganbench.errors import BadInput, UsageError
from ganbench.leaderboard import resampling as rs
from ganbench.leaderboard.board import Board, Row
from ganbench.leaderboard.gather import gather
from ganbench.leaderboard.rank import board_of
from ganbench.leaderboard.rules import default_settings
from ganbench.techniques._registry import TECHNIQUES
from ganbench.variants._registry import VARIANTS


@pytest.fixture
def track(tmp_path: Path) -> SyntheticTrack:
    return synthetic_track(tmp_path)


def board(track: SyntheticTrack) -> Board:
    return board_of(gather(track.place))


def row(track: SyntheticTrack, name: str) -> Row:
    return next(each for each in board(track).rows if each.name == name)


# Medians and intervals


@pytest.mark.parametrize(
    ("values", "wanted"),
    [([3, 1, 2], 2), ([4, 1, 2, 3], 2.5), ([1, math.inf, 2], 2), ([1, math.inf, math.inf], math.inf), ([5], 5)],
)
def test_the_median(values: list[float], wanted: float) -> None:
    assert rs.median(values) == wanted


def every_resample(values: list[float]) -> list[float]:
    """The median of each of the n^n resamples: the bootstrap without chance."""
    return sorted(statistics.median(taken) for taken in itertools.product(values, repeat=len(values)))


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_the_interval_is_that_of_all_resamples(n: int) -> None:
    chance = random.Random(n)
    for case in range(5):
        values = [round(chance.gauss(0, 1), 3) for _ in range(n)]
        slow, found = every_resample(values), rs.resampled_medians(values, rs.draws(n, f"row {case}"))
        low, high = rs.interval(found)
        # The share of all resamples that lie outside, to the sampling noise of 10,000 (0.0016), is 2.5 % at most.
        assert sum(value < low for value in slow) / len(slow) < 0.025 + 0.006
        assert sum(value > high for value in slow) / len(slow) < 0.025 + 0.006
        assert sum(value <= low for value in slow) / len(slow) > 0.025 - 0.006
        assert sum(value >= high for value in slow) / len(slow) > 0.025 - 0.006


def pcg64_indices(n: int, name: str) -> list[int]:
    """The first resample by PCG64 (XSL-RR 128/64, O'Neill 2014) written out; numpy makes its first state alone."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    state, step = (np.random.PCG64(seed).state["state"][key] for key in ("state", "inc"))
    found = []
    for _ in range(n):
        state = (state * 0x2360ED051FC65DA44385DF649FCCF645 + step) % 2**128
        folded, turn = (state >> 64) ^ (state % 2**64), state >> 122
        found.append((((folded >> turn | folded << (64 - turn)) % 2**64 >> 32) * n) >> 32)
    return found


@pytest.mark.parametrize(("n", "whole"), [(3, True), (4, True), (5, True), (6, False), (7, False)])
def test_with_five_runs_or_fewer_the_interval_is_the_whole_range(n: int, whole: bool) -> None:
    """As the words beside each board say."""
    values = [float(i) for i in range(n)]
    found = rs.interval(rs.resampled_medians(values, rs.draws(n, "track/row")))
    assert (found == (values[0], values[-1])) == whole


def test_resamples_are_the_same_for_ever() -> None:
    # Pinned: a board made today is checked years from now, on other machines.
    indices = rs.draws(5, "toy/ns-gan")
    assert indices.shape == (10_000, 5)
    assert indices[0].tolist() == [0, 4, 0, 0, 3] == pcg64_indices(5, "toy/ns-gan")
    assert indices[-1].tolist() == [4, 2, 2, 0, 0]
    assert {indices.min(), indices.max()} == {0, 4}
    assert (rs.draws(5, "toy/pacgan") != indices).any()


def test_each_run_is_drawn_equally_often() -> None:
    indices = rs.draws(7, "any")
    shares = [(indices == i).mean() for i in range(7)]
    assert shares == pytest.approx([1 / 7] * 7, abs=0.005)


def test_an_interval_with_failed_runs_ends_in_failure(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(5), scores(6), None, None, scores(7)])
    spread = row(track, "ns-gan").scores
    assert spread["modes"].median == 5  # of 7, 6, 5, failed, failed
    assert spread["modes"].ci95 == (None, 7)
    assert spread["mode_kl"].ci95 == (pytest.approx(0.11), None)
    assert (spread["modes"].low, spread["modes"].high) == (5, 7)


# Ranks


def test_rows_by_hand(track: SyntheticTrack) -> None:
    found = board(filled(track))
    assert [(each.name, each.rank) for each in found.rows] == [
        ("pacgan", 1), ("wgan-gp", 2), ("ns-gan", 3), ("vae", None),
    ]  # fmt: skip
    pacgan, wgan, ns = found.ranked
    assert [each.scores["modes"].median for each in found.ranked] == [8, 7, 6]
    assert (ns.scores["modes"].values, ns.scores["modes"].low, ns.scores["modes"].high) == ([5, 6, 6, 7, 4], 4, 7)
    assert (pacgan.failure_rate, wgan.failure_rate) == (0, 0.2)
    assert wgan.statuses == ["finished", "finished", "diverged", "finished", "finished"]
    # ns-gan against wgan-gp: of 25 pairs ns-gan's 7 ties twice and wins once against the failed one, which all lose to.
    assert found.wins[2][1] == pytest.approx((5 + 2 * 0.5) / 25)
    assert found.wins[1][2] == pytest.approx(1 - 6 / 25)
    assert [found.wins[i][i] for i in range(3)] == [None] * 3
    assert found.missing == 4


def test_the_next_key_breaks_ties(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(8, 0.2), scores(8, 0.3), scores(8, 0.1)])
    track.add_row("pacgan", [scores(8, 0.1), scores(8, 0.05), scores(8, 0.15)])
    found = board(track)
    assert [(each.name, each.rank) for each in found.rows] == [("pacgan", 1), ("ns-gan", 2)]
    # pairs (pacgan, ns-gan) by KL: 0.1 ties with 0.1; 0.15 loses to 0.1; the other seven win
    assert found.wins[0][1] == pytest.approx(7.5 / 9)


def test_rows_alike_in_everything_share_a_rank(track: SyntheticTrack) -> None:
    for variant in ("ns-gan", "pacgan"):
        track.add_row(variant, [scores(6)] * 3)
    track.add_row("vae", [scores(2)] * 3)
    found = board(track)
    assert [(each.name, each.rank, each.rank_interval) for each in found.rows] == [
        ("ns-gan", 1, (1, 1)), ("pacgan", 1, (1, 1)), ("vae", 3, (3, 3)),
    ]  # fmt: skip
    assert found.wins[0] == [None, 0.5, 1.0]


def test_the_rank_interval_is_that_of_all_resamples(track: SyntheticTrack) -> None:
    runs = {"ns-gan": [4, 6, 7], "pacgan": [5, 6, 8], "vae": [3, 5, 5]}
    for name, modes in runs.items():
        track.add_row(name, [scores(m, 0.1) for m in modes])
    medians = {name: every_resample([float(m) for m in modes]) for name, modes in runs.items()}
    for mine in board(track).rows:
        ranks: dict[int, int] = {}
        for taken in itertools.product(*medians.values()):
            own = dict(zip(medians, taken, strict=True))[mine.name]
            rank = 1 + sum(other > own for other in taken)
            ranks[rank] = ranks.get(rank, 0) + 1
        shares = {rank: count / sum(ranks.values()) for rank, count in ranks.items()}
        assert mine.rank_interval is not None
        low, high = mine.rank_interval
        assert sum(share for rank, share in shares.items() if rank < low) < 0.03
        assert sum(share for rank, share in shares.items() if rank > high) < 0.03
        assert low <= (mine.rank or 0) <= high


def test_a_row_that_always_fails_is_last_and_ranked(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(1)] * 3)
    track.add_row("vae", [None] * 3)
    found = board(track)
    assert [(each.name, each.rank) for each in found.rows] == [("ns-gan", 1), ("vae", 2)]
    assert found.rows[1].scores["modes"].median is None
    assert found.rows[1].failure_rate == 1
    assert found.wins == [[None, 1.0], [0.0, None]]


def test_a_diverged_run_counts_as_failed_even_where_it_was_scored(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(5)] * 3)
    track.add("ns-gan", 2, scores(8), status="diverged", reason="collapsed")
    assert row(track, "ns-gan").scores["modes"].values == [5, 5, None]


def test_a_score_that_could_not_be_computed_is_infinitely_bad(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [{"modes": 0.0, "mode_kl": None, "high_quality": 0.0}] * 3)
    found = row(track, "ns-gan")
    assert (found.rank, found.scores["mode_kl"].median, found.failure_rate) == (1, None, 0)
    assert str(found.scores["modes"].median) == "0.0"  # not -0.0


@pytest.mark.parametrize("runs", [1, 2])
def test_fewer_than_three_runs_are_unranked(track: SyntheticTrack, runs: int) -> None:
    track.add_row("ns-gan", [scores(8)] * runs)
    track.add_row("pacgan", [scores(2)] * 3)
    found = board(track)
    assert [(each.name, each.rank) for each in found.rows] == [("pacgan", 1), ("ns-gan", None)]
    assert found.rows[1].unranked == f"{runs} of 3 runs needed"
    assert found.wins == [[None]]


def test_runs_that_failed_are_not_among_the_three(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(8), scores(8)])
    track.add("ns-gan", 2, None, status="failed", reason="no memory")
    found = row(track, "ns-gan")
    assert (found.rank, found.unranked, found.failure_rate) == (None, "2 of 3 runs needed", pytest.approx(1 / 3))


def test_a_row_with_a_truncated_run_is_unranked(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(8)] * 4)
    track.add("ns-gan", 4, scores(8), status="truncated", reason="--max-seconds")
    assert row(track, "ns-gan").unranked == "1 run truncated by a limit of time"


def test_one_row_changes_no_interval_of_another(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(m) for m in (3, 5, 6, 7, 8)])
    before = row(track, "ns-gan").scores
    track.add_row("pacgan", [scores(m) for m in (3, 5, 6, 7, 8)])
    assert row(track, "ns-gan").scores == before


# What makes no board


def refusal(track: SyntheticTrack) -> str:
    with pytest.raises(BadInput) as caught:
        board(track)
    return str(caught.value)


RULES = [
    (("final", "protocol", "fingerprint"), "12" * 32, "its protocol is points (1212121212121212)"),
    (("raw", "protocol", "fingerprint"), "12" * 32, "(raw): its protocol"),
    (("final", "reference", "fingerprint"), "12" * 32, "its reference is ring8-pacgan (1212121212121212)"),
    (("final", "samples", "n"), 9_999, "final.samples.n is 9999, that of the track is 10000"),
    (("final", "metrics", "modes", "n_fake"), 5, "its way modes is computed"),
    (("final", "metrics", "modes", "params", "distribution"), "grid25", "distribution grid25"),
    (("data", "fingerprint"), "12" * 32, "its dataset is 121212121212"),
    (("budget", "spec"), "6e12flop", "budget.spec is 6e12flop, that of the track is 5e12flop"),
    (("budget", "amount"), 6e12, "its budget is 6e+12 flop, that of the track is 5e+12 flop"),
    (("budget", "flops_per_step"), 4e9, "it spent 5e+12 FLOPs in 1000 steps, which were counted to take 4e+09 each"),
    (("spent", "peak_memory"), 10**400, "spent.peak_memory is 1000"),
    (("spent", "seconds"), -1, "spent.seconds is -1"),
    (("final", "metrics", "modes", "label"), "Modes, or so", "its way modes is computed is label Modes, or so"),
    (("config", "spec", "settings"), "none", "its code shows no defaults of a Config, or config.spec no settings"),
    (("config", "spec", "budget"), "6e12flop", "config.spec.budget is 6e12flop"),
    (("config", "spec", "batch_size"), 64, "config.spec.batch_size is 64, that of the track is 100"),
    (("config", "spec", "backbone"), "mlp9d", "config.spec.backbone is mlp9d"),
    (("config", "spec", "data"), "grid25", "config.spec.data is grid25"),
    (("config", "spec", "settings", "lr_G"), 1e-3, "config.spec.settings.lr_G is 0.001, that of the track is 0.0001"),
    (("config", "spec", "settings", "betas"), [0.9, 0.9], "config.spec.settings.betas is [0.9, 0.9]"),
    (("config", "spec", "settings", "m"), 4, "config.spec.settings has m, which its variant does not have"),
    (("config", "spec", "judging", "final_n"), 100, "config.spec.judging.final_n is 100"),
    (("config", "spec"), None, "config.spec is absent"),
    (("kind",), "open", "its kind is open, that of the track is controlled; kinds are never ranked together"),
    (("track",), "grid25", "its track is grid25, wanted toy"),
    (("seed",), 9, "its name must be ns-gan-9.json"),
    (("variant",), "vae", "its name must be vae-1.json"),
    (("variant_source",), "# other code\n", "variant_sha256 is"),
    (("spent", "flops"), 5.1e12, "no run may overspend"),
    (("spent", "steps"), 999, "it is finished after 999 steps; its budget allows 1000"),
    (("weights_sha256",), None, "no weights_sha256"),
    (("final",), None, "it is finished and has no final result"),
    (("curve",), [], "the fractions of its curve is []"),
    (("schema",), "ganbench.record/9", "schema is 'ganbench.record/9'"),
    (("surplus",), 1, "surplus"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "value", "wanted"), RULES, ids=lambda value: str(value)[:50])
def test_records_that_differ_are_refused(track: SyntheticTrack, keys: Any, value: Any, wanted: str) -> None:
    track.add_row("pacgan", [scores(8)] * 3)
    track.add_row("ns-gan", [scores(5)] * 3)
    board(track)
    track.edit(track.folder / "records" / "ns-gan-1.json", *keys, value=value)
    message = refusal(track)
    assert "ns-gan-1.json" in message
    assert wanted in message
    assert "ns-gan-0" not in message.split(wanted)[0]  # it is the odd one that is named first


def test_no_row_stops_before_its_budget_is_spent(track: SyntheticTrack) -> None:
    """A method that falls apart late would look better: whoever chose the number of steps chose on the score."""
    for seed in range(3):
        path = track.add("ns-gan", seed, scores(5))
        for part, key, value in (("budget", "steps", 900), ("spent", "steps", 900), ("spent", "flops", 4.5e12)):
            track.edit(path, part, key, value=value)
    assert "ns-gan-0.json: it left 5e+11 FLOPs of its budget, in which there are more steps of 5e+09" in refusal(track)


@pytest.mark.parametrize(("budget", "spent"), [("5e12flop", 6e12), ("nano", 2e13)])
def test_a_budget_is_the_track_s_whatever_all_records_say(track: SyntheticTrack, budget: str, spent: float) -> None:
    path = track.folder / "track.toml"
    for seed in range(3):
        record = track.add("ns-gan", seed, scores(5))
        track.edit(record, "budget", "amount", value=spent)
        track.edit(record, "spent", "flops", value=spent)
    path.write_text(path.read_text().replace('budget = "5e12flop"', f'budget = "{budget}"'))
    assert ("no run may overspend" in refusal(track)) == (budget == "5e12flop")


def test_a_track_with_a_budget_that_is_none_is_refused(track: SyntheticTrack) -> None:
    path = track.folder / "track.toml"
    path.write_text(path.read_text().replace('budget = "5e12flop"', 'budget = "5e12"'))
    with pytest.raises(UsageError, match=r"track\.toml: budget: '5e12' is no amount of training; wanted 2e13flop"):
        track.place  # noqa: B018 - it is read there


def test_protocols_never_mix(track: SyntheticTrack) -> None:
    # Half and half: whichever came first is right, the others are named.
    track.add_row("ns-gan", [scores(5)] * 3)
    other = {"name": "embedded", "fingerprint": "34" * 32}
    for seed in range(3):
        final = result(scores(8), protocol=other)
        track.add("pacgan", seed, scores(8), final=final, raw=None)
    message = refusal(track)
    for seed in range(3):
        assert f"records/pacgan-{seed}.json: its protocol is embedded (3434343434343434)" in message
    assert "Protocols never mix" in message


def test_anchors_are_of_the_same_protocol(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(5)] * 3)
    track.add_anchors("real vs real", protocol={"name": "embedded", "fingerprint": "34" * 32})
    assert "anchors.json (real vs real, 0): its protocol is embedded" in refusal(track)


def test_real_images_may_be_fewer_than_a_run_s_samples(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(5)] * 3)
    track.add_anchors("real vs real", n=40)
    assert not gather(track.place).faults
    track.add_anchors("untrained", n=40)
    assert "anchors.json (untrained, 0): its number of scored samples is 40" in refusal(track)


def test_a_row_is_of_one_code_and_one_set_of_settings(track: SyntheticTrack) -> None:
    track.add_row("pacgan", [scores(5)] * 3)
    track.edit(track.folder / "records" / "pacgan-2.json", "config", "spec", "settings", "m", value=4)
    assert "records/pacgan-2.json: its settings of the variant is betas [0.5, 0.999], lr_G 0.0002, m 4" in refusal(
        track
    )


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 3}', "NaN"])
def test_what_is_no_record(track: SyntheticTrack, text: str) -> None:
    path = track.add("ns-gan", 0, scores(5))
    path.write_text(text)
    assert "ns-gan-0.json is not the record of a run" in refusal(track)


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity"])
def test_numbers_that_are_none_are_refused(track: SyntheticTrack, number: str) -> None:
    path = track.add("ns-gan", 0, scores(5))
    path.write_text(path.read_text().replace('"seconds_evaluating": 3.0', f'"seconds_evaluating": {number}'))
    assert "ns-gan-0.json is not the record of a run" in refusal(track)


def test_anchors_need_a_result_for_each_seed(track: SyntheticTrack) -> None:
    track.add_anchors("untrained")
    path = track.folder / "anchors.json"
    path.write_text(path.read_text().replace('"seeds": [\n    0\n   ]', '"seeds": [0, 1]'))
    with pytest.raises(BadInput, match="2 seeds and 1 results"):
        read_anchors(path)
    assert read_anchors(track.folder / "absent.json") is None


def test_unranked_records_may_be_of_another_length(track: SyntheticTrack) -> None:
    track.add_row("ns-gan", [scores(5)] * 3)
    path = track.add("ns-gan", 0, scores(8, 0.0012), folder="unranked")
    track.edit(path, "budget", "spec", value="400000steps")
    path.rename(path.with_name("ns-gan-0-long.json"))
    found = board(track)
    assert [(e.file, e.budget, e.scores["mode_kl"].median) for e in found.extras] == [
        ("unranked/ns-gan-0-long.json", "400000steps", 0.0012)
    ]
    assert [each.name for each in found.rows] == ["ns-gan"]
    assert found.rows[0].seeds == [0, 1, 2]
    track.edit(path.with_name("ns-gan-0-long.json"), "variant_source", value="# other")
    assert "unranked/ns-gan-0-long.json: variant_sha256 is" in refusal(track)


@pytest.mark.parametrize(
    "variant", [*VARIANTS.names(), *(f"ns-gan+{name}" for name in TECHNIQUES.names()), "wgan+ttur+ada"]
)
def test_the_defaults_of_a_variant_are_read_from_its_code(variant: str) -> None:
    """Read, and never run: what they are is what the installed variant says."""
    assert default_settings(Recipe.of(variant).source()) == Recipe.of(variant).settings({})


@pytest.mark.parametrize(
    "source", ["", "class Config:", "class Config:\n    a: int = f()\n", "class Config: pass\nclass Config: pass"]
)
def test_code_without_plain_defaults_has_none(source: str) -> None:
    assert default_settings(source) is None
