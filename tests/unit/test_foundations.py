"""Registry, serialisation, protocols: the stones everything stands on."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from ganbench.errors import BadInput, UsageError
from ganbench.protocol import get_protocol, list_protocols, protocol_names
from ganbench.registry import unknown
from ganbench.results import MetricResult, ReferenceInfo, Result, SampleInfo, Score
from ganbench.serialize import canonical_sha256, from_json, from_toml, to_json


@dataclass(frozen=True)
class Inner:
    kimg: int


@dataclass(frozen=True)
class Outer:
    name: str
    budget: Inner


def test_json_is_read_strictly_and_errors_name_the_place() -> None:
    assert from_json(Outer, '{"name": "a", "budget": {"kimg": 2}}', where="x.json") == Outer("a", Inner(2))
    with pytest.raises(BadInput, match=r"x\.json is not a valid Outer: budget\.kimg: .*valid integer"):
        from_json(Outer, '{"name": "a", "budget": {"kimg": "many"}}', where="x.json")
    with pytest.raises(BadInput, match="colour"):
        from_json(Outer, '{"name": "a", "budget": {"kimg": 2}, "colour": 1}', where="x.json")
    with pytest.raises(BadInput, match="the whole"):
        from_json(Outer, "not json", where="x.json")


def test_toml_errors_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text("name = ")
    with pytest.raises(BadInput, match=r"t\.toml is not valid TOML"):
        from_toml(Outer, tmp_path / "t.toml")


def test_json_has_no_nan_and_takes_numpy_scalars() -> None:
    assert json.loads(to_json({"a": np.float64(1.5), "b": (np.int64(2), None)})) == {"a": 1.5, "b": [2, None]}
    with pytest.raises(ValueError, match="no place in JSON"):
        to_json({"a": float("nan")})


def test_canonical_digest_ignores_the_order_of_keys_only() -> None:
    assert canonical_sha256({"a": 1, "b": 2}) == canonical_sha256({"b": 2, "a": 1})
    assert canonical_sha256([1, 2]) != canonical_sha256([2, 1])


def test_unknown_names_get_the_nearest_one() -> None:
    assert "Did you mean 'fid'?" in str(unknown("metric", "fidd", ["kid", "fid"]))
    assert "Did you mean 'fid'?" in str(unknown("metric", "FID", ["kid", "fid"]))
    assert "Did you mean" not in str(unknown("metric", "zzz", ["kid", "fid"]))
    with pytest.raises(UsageError, match="Did you mean 'clean'"):
        get_protocol("claen")


def test_protocols_and_their_fingerprints() -> None:
    assert protocol_names() == ["clean", "clip", "cmmd", "dinov2", "embedded", "pytorch", "tf", "vgg16"]
    assert len({get_protocol(name).fingerprint for name in protocol_names()}) == 8
    assert all(entry.summary for entry in list_protocols())
    tf = get_protocol("tf")
    assert replace(tf, name="other", summary="words").fingerprint == tf.fingerprint
    for field, value in asdict(tf).items():
        if field not in ("name", "summary", "labels"):
            other = (not value) if isinstance(value, bool) else value * 2
            assert replace(tf, **{field: other}).fingerprint != tf.fingerprint, field


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [
        ("clean", "5737e4fafdbaadbc348d51cbb412bb9eb77513a5a590f4a8e5a4fef8a97404e5"),
        ("embedded", "99ae303915a0cd85a0a8a0069a2214709b58a08913cb847b04b727d12edadfe6"),
        ("pytorch", "298dec10fb3425dcb6c388e7d0eb0df6f04a0cda65df76c290992662a3e7e8c6"),
        ("tf", "c6c7b5b66b3e13a96da9aa6da9d10c3fe183de008d81c611b4e63fa93eda9542"),
    ],
)
def test_new_fields_leave_old_fingerprints_alone(name: str, fingerprint: str) -> None:
    """Results and statistics that people have stay comparable."""
    protocol = get_protocol(name)
    assert protocol.fingerprint == fingerprint
    assert protocol.record().keys().isdisjoint({"crop", "rounding"})


def test_a_fingerprint_comes_from_the_record() -> None:
    for name in protocol_names():
        record = get_protocol(name).record()
        assert record.pop("name") == name
        assert record.pop("fingerprint") == canonical_sha256(record)
    assert get_protocol("clip").record()["crop"] == "after"


def test_unverified_weights_show_in_the_fingerprint() -> None:
    tf = get_protocol("tf")
    assert tf.with_weights(tf.weights_sha256) is tf
    other = tf.with_weights("0" * 64)
    assert not other.weights_verified
    assert other.fingerprint != tf.fingerprint


def test_fid_is_the_name_of_inceptions_distance_only() -> None:
    for name in protocol_names():
        protocol = get_protocol(name)
        assert (protocol.labels["frechet_distance"] == "FID") == (protocol.extractor == "inception")
        assert (protocol.labels["kernel_distance"] == "KID") == (protocol.extractor == "inception")
        assert bool(protocol.logits_head) == ("inception_score" in protocol.labels)


def test_a_score_is_never_nan() -> None:
    assert Score(float("nan")).value is None
    assert "nan" in str(Score(float("nan")).reason)
    assert float(Score(2.0)) == 2.0
    with pytest.raises(ValueError, match="needs features"):
        float(Score(None, reason="it needs features"))


def test_an_interval_without_width_is_none() -> None:
    assert Score(0.0, ci95=(0.0, 0.0)).ci95 is None
    assert Score(0.2, ci95=(0.19999999999999993, 0.19999999999999998)).ci95 is None
    assert Score(0.2, ci95=(0.1999, 0.2001)).ci95 == (0.1999, 0.2001)
    assert Score(1e-12, ci95=(-1e-12, 3e-12)).ci95 == (-1e-12, 3e-12)


def test_a_result_survives_json() -> None:
    metric = MetricResult(value=1.0, label="FD", direction="lower", params={"k": 3}, n_fake=5, n_real=7, ci95=(0.5, 2))
    null = MetricResult(value=None, label="KD", direction="lower", params={}, n_fake=5, n_real=None, reason="why")
    result = Result(
        protocol={"name": "embedded"},
        samples=SampleInfo(source="s", fingerprint="f", n=5),
        reference=ReferenceInfo(name="digits", split="train", fingerprint="r", n=7),
        metrics={"frechet_distance": metric, "kernel_distance": null},
    )
    text = result.to_json()
    assert Result.from_json(text, where="x") == result
    data = json.loads(text)
    assert data["schema"] == "ganbench.result/1"
    assert data["metrics"]["kernel_distance"] == {
        "value": None, "label": "KD", "direction": "lower", "params": {}, "n_fake": 5, "n_real": None,
        "ci95": None, "reason": "why",
    }  # fmt: skip


HEAVY = ("torch", "numpy", "pandas", "scipy", "sklearn", "pydantic", "rich")


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import ganbench", ()),
        ("from ganbench.cli.main import main; main(['--help'])", ()),
        ("from ganbench.cli.main import main; main(['list', 'protocols'])", ("pydantic",)),
        ("from ganbench.cli.main import main; main(['list', 'metrics'])", ("numpy", "pydantic")),
        ("from ganbench.cli.main import main; main(['list', 'extractors'])", ("numpy", "pydantic")),
        ("from ganbench.cli.main import main; main(['list', 'datasets'])", ("numpy", "pydantic")),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str, allowed: tuple[str, ...]) -> None:
    heavy = set(HEAVY) - set(allowed)
    check = f"{code}\nimport sys; sys.exit(','.join(sorted(set(sys.modules) & {heavy!r})) or 0)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
