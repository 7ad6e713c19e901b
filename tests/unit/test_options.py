"""Which metrics a list of names means."""

import pytest

from ganbench.errors import UsageError
from ganbench.evaluation.options import DEFAULT_METRICS, is_all, metric_names, unasked
from ganbench.metrics._registry import METRICS


def test_names() -> None:
    assert metric_names(None) == DEFAULT_METRICS
    assert metric_names("kid, fid,kid") == ("kid", "fid")
    assert metric_names(["fid"]) == ("fid",)
    assert unasked("kid,fid") == ()
    assert not is_all(None)


@pytest.mark.parametrize("asked", ["all", "all,cas", "cas, all", ["all", "cas"]])
def test_all_is_every_metric_and_what_is_named_beside_it_is_asked_for(asked: str | list[str]) -> None:
    assert set(metric_names(asked)) == set(METRICS.names())
    assert metric_names(asked)[:5] == DEFAULT_METRICS
    assert is_all(asked)
    assert ("cas" in unasked(asked)) == (asked == "all")
    assert "gan_test" in unasked(asked)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'prd'"):
        metric_names("all,prdd")
    with pytest.raises(UsageError, match="No metric was named"):
        metric_names(" , ")
