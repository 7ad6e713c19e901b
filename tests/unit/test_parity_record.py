"""The record of what each metric was compared with: whole, within its tolerances, and still what is measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganbench.metrics._registry import METRICS

REPOSITORY = Path(__file__).parents[2]
RECORD = json.loads((REPOSITORY / "docs" / "records" / "parity.json").read_text(encoding="utf-8"))
LINES: list[dict[str, Any]] = RECORD["comparisons"]
BY_SCIPY_AND_THE_LIKE = ["authenticity", "birthday", "c_t", "mode_coverage", "nearest", "rarity", "realism"]
BY_PACKAGES = {
    "fid": ["torch_fidelity", "torchmetrics", "pytorch_fid"],
    "density_coverage": ["prdc"],
    "kid": ["torch_fidelity"],
    "vendi": ["vendi_score"],
    "sliced_wasserstein": ["ot"],
}


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))


def key_of(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["metric"], line["key"], line["oracle"]


def test_every_key_of_every_metric_has_an_oracle() -> None:
    found = {(line["metric"], line["key"]) for line in LINES if line["oracle"]}
    assert found == {(name, key) for name in METRICS.names() for key in METRICS.get(name).keys}


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(key_of(line)))
def test_the_differences_are_what_the_numbers_say_and_small_enough(line: dict[str, Any]) -> None:
    apart = abs(line["value"] - line["oracle_value"])
    assert line["absolute"] == pytest.approx(apart, rel=0.06)  # two digits are kept
    assert line["relative"] == pytest.approx(apart / abs(line["oracle_value"]), rel=0.06)
    assert line["relative"] <= line["tolerance"] <= 0.05
    assert line["why"]
    assert line["compared"]
    assert line["n_fake"] > 1
    assert line["d"] > 1


def test_the_record_is_of_the_oracles_that_there_are(scripts: None) -> None:
    from parity_oracles import ORACLES

    said = {(line["metric"], line["oracle"], line["tolerance"], line["why"], line["compared"]) for line in LINES}
    assert said == {(name, o.name, o.tolerance, o.why, o.compared) for name in ORACLES for o in ORACLES[name]}
    assert all((line["version"] is None) != bool(_package(line, ORACLES)) for line in LINES)


def _package(line: dict[str, Any], oracles: Any) -> str | None:
    found: list[str | None] = [o.package for o in oracles[line["metric"]] if o.name == line["oracle"]]
    return found[0]


def test_a_metric_without_an_oracle_is_noticed(scripts: None) -> None:
    from measure_parity import NoParity, measure
    from parity_oracles import ORACLES, Oracle, birthday
    from parity_packages import Case

    with pytest.raises(NoParity, match=r"fid has no oracle: name one in parity_oracles\.py"):
        measure(["fid"], {})
    with pytest.raises(NoParity, match=r"birthday: birthday is 9\d\d\..*, 7\.0 by Nobody; allowed: 0\.1"):
        measure(
            ["birthday"], {"birthday": [Oracle("Nobody", lambda: Case(birthday().given, {"birthday": 7.0}), 0.1, "")]}
        )
    half = Oracle("half", _without("mode_jsd", ORACLES["mode_coverage"][0].case), 1e-9, "")
    with pytest.raises(NoParity, match="mode_coverage: no oracle has a value for mode_jsd"):
        measure(["mode_coverage"], {"mode_coverage": [half]})


def _without(key: str, case: Callable[[], Any]) -> Callable[[], Any]:
    from dataclasses import replace

    def made() -> Any:
        whole = case()
        return replace(whole, wanted={k: v for k, v in whole.wanted.items() if k != key})

    return made


def measured_again(name: str) -> None:
    """Other processors round otherwise: within the tolerance that the record states."""
    from measure_parity import measure
    from parity_oracles import ORACLES

    recorded = {key_of(line): line for line in LINES}
    for line in measure([name], ORACLES):
        old = recorded[key_of(line)]
        for which in ("value", "oracle_value"):
            assert line[which] == pytest.approx(old[which], rel=2 * old["tolerance"] + 1e-9)
        assert {k: line[k] for k in ("n_fake", "n_real", "d")} == {k: old[k] for k in ("n_fake", "n_real", "d")}


@pytest.mark.parametrize("name", BY_SCIPY_AND_THE_LIKE)
def test_it_is_what_is_measured_again(name: str, scripts: None) -> None:
    measured_again(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cas", "gan_test", "augmentation", "prd"])
def test_it_is_what_is_measured_again_where_that_takes_long(name: str, scripts: None) -> None:
    measured_again(name)


@pytest.mark.reference
@pytest.mark.parametrize("name", BY_PACKAGES)
def test_it_is_what_packages_give(name: str, scripts: None) -> None:
    import warnings

    for package in BY_PACKAGES[name]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip(package, reason=f"{package} is not installed")
    measured_again(name)


def test_the_table_shows_the_record(scripts: None) -> None:
    from docs_tables import metrics, parity

    oracles, apart = parity("precision_recall")
    versions = {line["oracle"]: line["version"] for line in LINES}
    assert oracles == f"torch-fidelity {versions['torch-fidelity']}; prdc {versions['prdc']}"
    largest = max(x["relative"] for x in LINES if (x["metric"], x["oracle"]) == ("precision_recall", "torch-fidelity"))
    assert apart.split("; ")[0] == f"{largest:.1e}"
    assert len(metrics().splitlines()) == len(METRICS.names()) + 2
    with pytest.raises(ValueError, match="does not know mean_gap"):
        parity("mean_gap")
