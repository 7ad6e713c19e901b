"""The record of a run out of what is known at its end."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ganbench.bench.ema import HALF_LIFE
from ganbench.bench.recipe import Recipe
from ganbench.files import sha256_file
from ganbench.provenance import machine, versions
from ganbench.records import RunRecord, Spent, Status
from ganbench.serialize import plain
from ganbench.variants._base import Variant

if TYPE_CHECKING:
    from ganbench.bench.trainer import Training


def record_of(training: "Training", status: Status, reason: str | None) -> RunRecord:
    """The record of a run that has come to its end."""
    built, spec, state = training.built, training.built.spec, training.state
    recipe = Recipe.of(spec.variant)
    return RunRecord(
        track=spec.track,
        variant=spec.variant,
        seed=spec.seed,
        kind=spec.kind,
        status=status,
        reason=reason,
        budget=built.budget_info,
        spent=Spent(
            steps=state.step,
            flops=built.flops_after(state.step),
            reals=built.meter.reals,
            fakes=built.variant.fakes,
            seconds=round(state.seconds, 3),
            seconds_evaluating=round(state.seconds_evaluating, 3),
            peak_memory=peak_memory(built.variant.problem.device),
            resumes=state.resumes,
            updates=updates_of(built.variant),
        ),
        data=built.data.info,
        config=_config(training),
        curve=training.scores.curve,
        final=training.scores.final,
        # Without an end there are no last weights: what was scored on the way stands in the curve.
        raw=training.scores.raw if training.scores.final else None,
        best=training.scores.best,
        environment=environment(spec.threads, spec.device, spec.ranks),
        variant_sha256=recipe.sha256(),
        variant_source=recipe.source(),
        weights_sha256=training.weights_sha256(),
        artifacts=_artifacts(training.folder.path),
        command=training.command,
    )


def updates_of(variant: Variant) -> dict[str, int]:
    """How often each optimiser has stepped, as its own state counts it, by its name without `opt_`."""
    found = {}
    for name, optimiser in variant.optimisers().items():
        steps = [int(state["step"]) for state in optimiser.state.values() if "step" in state]
        if steps:
            found[name.removeprefix("opt_")] = max(steps)
    return found


def _config(training: "Training") -> dict[str, Any]:
    spec = training.built.spec
    return {
        "run": spec.id,
        "spec": plain(spec),
        "z": {"dim": training.built.variant.z_dim, "prior": "N(0, I)"},
        "ema": {"half_life": f"{HALF_LIFE:g} of the steps done", "statistics": "running, averaged likewise"},
        "dtype": "float32",
        "data_order": "each epoch a permutation of its own",
        "selection": "last checkpoint, averaged weights",
        "deterministic": spec.device == "cpu",
    }


def _artifacts(folder: Path) -> dict[str, str]:
    kept = [*sorted((folder / "samples").glob("final.*")), folder / "metrics.jsonl"]
    return {str(path.relative_to(folder)): sha256_file(path) for path in kept if path.is_file()}


def environment(threads: int, device: str, ranks: int = 1) -> dict[str, Any]:
    """Versions, machine, threads, ranks, and the commit where the package runs out of a checkout."""
    found: dict[str, Any] = {
        "versions": versions(),
        **machine(),
        "processor": processor(),
        "device": device,
        "threads": threads,
        "ranks": ranks,
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device)
    commit = _commit()
    return found | ({"commit": commit} if commit else {})


def processor() -> str:
    """The processor's name, as the operating system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """The commit of the checkout that the package runs from, with "-dirty" where files differ from it."""
    top = Path(__file__).parents[2]
    if not (top / ".git").exists():
        return None
    told = {"GIT_OPTIONAL_LOCKS": "0", **os.environ}
    try:
        commit = _git(top, told, "rev-parse", "HEAD")
        return commit + ("-dirty" if _git(top, told, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):  # no git here: the version stands for it
        return None


def _git(top: Path, environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed words
        ["git", "-C", str(top), *words],  # noqa: S607 - whichever git there is
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout.strip()


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that this process had, or on a GPU the most that it took there."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)
