"""The staircase of HYPE time: its steps by hand, and where it settles."""

import numpy as np
import pytest
from human_raters import Psychometric, logistic

from ganbench.errors import UsageError
from ganbench.human.staircase import Staircase, modal
from ganbench.human.study import settings_of

DEFAULT = settings_of("time", "default", ()).staircase
PAPER = settings_of("time", "paper", ()).staircase


def test_the_default_steps() -> None:
    assert DEFAULT.exposures([]) == [500]
    assert DEFAULT.exposures([True, True, False, True]) == [500, 490, 480, 510, 500]
    assert DEFAULT.next_ms([True] * 60) == 100
    assert DEFAULT.next_ms([False] * 60) == 1000
    assert DEFAULT.next_ms([True] * 60 + [False]) == 130


def test_the_steps_as_printed() -> None:
    assert PAPER.exposures([True, True, True, True]) == [500, 500, 500, 470, 470]
    assert PAPER.exposures([True, True, False, True, True, True]) == [500, 500, 500, 510, 510, 510, 480]


def test_the_mode() -> None:
    assert modal([500, 490, 480, 490]) == 490
    assert modal([500, 490, 500, 490, 480]) == 490  # of two the one shown last
    with pytest.raises(ValueError, match="empty"):
        modal([])


def measured(staircase: Staircase, right: Psychometric, trials: int, rng: np.random.Generator) -> float:
    """The score of one rater: the mean of three blocks' modes."""
    modes = []
    for _ in range(3):
        answers: list[bool] = []
        for _ in range(trials):
            answers.append(bool(rng.random() < right(staircase.next_ms(answers))))
        modes.append(modal(staircase.exposures(answers)[:-1]))
    return float(np.mean(modes))


@pytest.mark.parametrize("threshold", [200, 300, 400, 500, 600, 700])
def test_raters_with_a_known_threshold_converge_to_it(threshold: int) -> None:
    """Right three times out of four at the threshold: 30 ms up and 10 ms down balance there."""
    rng = np.random.default_rng(threshold)
    found = [measured(DEFAULT, logistic(threshold), 50, rng) for _ in range(30)]
    assert np.mean(found) == pytest.approx(threshold, abs=35)
    long = [measured(DEFAULT, logistic(threshold), 150, rng) for _ in range(30)]
    assert np.mean(long) == pytest.approx(threshold, abs=15)


def test_a_model_that_is_seen_at_once_ends_at_the_floor_and_one_that_never_is_at_the_ceiling() -> None:
    rng = np.random.default_rng(0)
    assert measured(DEFAULT, lambda _: 1.0, 50, rng) == 100
    assert measured(DEFAULT, lambda _: 0.0, 50, rng) == 1000


def test_the_steps_as_printed_settle_lower() -> None:
    """Three right in a row take 30 ms away and one wrong adds 10 ms: these balance where p³ = 1/4, p = 0.63."""
    rng = np.random.default_rng(1)
    found = [measured(PAPER, logistic(500), 150, rng) for _ in range(30)]
    share = 0.25 ** (1 / 3)
    where = 500 + 40 * np.log((2 * share - 1) / (2 - 2 * share))
    assert np.mean(found) == pytest.approx(where, abs=15)


def test_only_hype_time_has_a_staircase() -> None:
    with pytest.raises(UsageError, match="--protocol time"):
        settings_of("infinity", "paper", ())
