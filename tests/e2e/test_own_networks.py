"""Networks of the user's own, from the command line and from Python."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ganbench

Run = Callable[..., Any]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 5, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


@pytest.fixture(scope="module", autouse=True)
def samples(lasting: Path, pictures: Run, folder_of: Run) -> None:
    folder_of(lasting / "fake", pictures(24, seed=1))
    folder_of(lasting / "real", pictures(28, seed=2))
    torch.jit.script(network()).save("net.pt")


def test_a_program_runs_only_where_that_is_allowed(run: Run) -> None:
    asked = ("eval", "fake", "--ref", "./real", "--protocol", "net.pt", "--metrics", "fid,inception_score")
    refused = run(*asked)
    assert refused.code == 2
    assert "--allow-code" in refused.message
    done = run(*asked, "--allow-code", "--json", "-", "--quiet")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["metrics"]["frechet_distance"]["label"] != "FID"
    assert found["metrics"]["frechet_distance"]["value"] > 0
    assert "needs a classifier" in found["metrics"]["inception_score"]["reason"]
    assert found["protocol"]["weights_verified"] is False
    assert any("The network is your own" in text for text in found["warnings"])


def test_a_module_from_python_gives_what_the_program_gives() -> None:
    own = ganbench.CustomNetwork(network(), name="own")
    given = {"fake": "fake", "real": Path("real"), "metrics": ["fid", "kid"]}
    module = ganbench.evaluate(**given, protocol=own)
    program = ganbench.evaluate(**given, protocol="net.pt", allow_code=True)
    for key in ("frechet_distance", "kernel_distance"):
        assert module[key].value == pytest.approx(program[key].value, rel=1e-5)
    assert module.protocol["name"] == "own"
    assert module.protocol["fingerprint"] != program.protocol["fingerprint"]


def test_another_module_is_another_protocol() -> None:
    other = network()
    with torch.no_grad():
        next(other.parameters()).mul_(2)
    found = [
        ganbench.evaluate(fake="fake", real=Path("real"), metrics="fid", protocol=ganbench.CustomNetwork(each))
        for each in (network(), other)
    ]
    assert found[0].protocol["fingerprint"] != found[1].protocol["fingerprint"]
    assert found[0]["frechet_distance"].value != found[1]["frechet_distance"].value


def test_the_evaluator_takes_it(pictures: Run) -> None:
    images = pictures(24, seed=1).transpose(0, 3, 1, 2)
    own = ganbench.CustomNetwork(network(), name="own")
    evaluator = ganbench.Evaluator(real=Path("real"), metrics="fid", protocol=own)
    evaluator.update(np.ascontiguousarray(images))
    whole = ganbench.evaluate(fake="fake", real=Path("real"), metrics="fid", protocol=own)
    assert evaluator.compute()["frechet_distance"].value == pytest.approx(whole["frechet_distance"].value, rel=1e-9)


def test_a_reference_can_be_made_with_it(run: Run) -> None:
    made = run("ref", "make", "mine", "--from", "real", "--protocol", "net.pt", "--allow-code", "--quiet")
    assert made.code == 0, made.err
    asked = ("eval", "fake", "--ref", "mine", "--protocol", "net.pt", "--allow-code", "--metrics", "fid", "--json", "-")
    done = run(*asked, "--quiet")
    assert done.code == 0, done.err
    assert json.loads(done.out)["reference"]["n"] == 28


def test_modules_that_differ_in_layers_without_weights_are_not_taken_for_each_other() -> None:
    linear = nn.Linear(3, 5)
    found = [
        ganbench.evaluate(
            fake="fake",
            real=Path("real"),
            metrics="fid",
            protocol=ganbench.CustomNetwork(nn.Sequential(pool(1), nn.Flatten(), linear)),
        )
        for pool in (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
    ]
    assert found[0].protocol["fingerprint"] != found[1].protocol["fingerprint"]
    assert found[0]["frechet_distance"].value != found[1]["frechet_distance"].value
