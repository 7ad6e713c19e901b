"""Tracks and records to make boards of, without any training: what a test needs to know about them, it says."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganbench.anchors import Anchor, Anchors
from ganbench.records import BudgetInfo, CurvePoint, DataInfo, RunRecord, Spent
from ganbench.results import MetricResult, ReferenceInfo, Result, SampleInfo
from ganbench.track import TrackFolder, open_track

TRACK = """
title = "A ring, for tests"
summary = "Records made up by a test."
kind = "controlled"
dataset = "ring8-pacgan"
backbone = "mlp2d"
batch_size = 100
budget = "5e12flop"
seeds = [0, 1, 2, 3, 4]
variants = ["ns-gan", "pacgan", "wgan-gp", "vae"]
metrics = ["mode_coverage"]
protocol = "auto"
reference = "ring8-pacgan"
ranked_by = ["modes", "mode_kl"]
columns = ["modes", "mode_kl", "high_quality"]
notes = ["A note."]
[settings.ns-gan]
lr_G = 1e-4
betas = [0.8, 0.999]
[[published]]
method = "GAN"
source = "A paper"
protocol = "another"
values = { modes = "6.3 ± 0.5" }
"""
DIRECTIONS = {"modes": "higher", "mode_kl": "lower", "high_quality": "higher"}
LABELS = {"modes": "Modes", "mode_kl": "Reverse KL", "high_quality": "High quality"}
PROTOCOL = {"name": "points", "fingerprint": "aa" * 32}
Values = Mapping[str, float | None]


def result(
    values: Values, *, n: int = 10_000, protocol: Mapping[str, Any] = PROTOCOL, reference: str = "bb" * 32
) -> Result:
    """A result with these values."""
    metrics = {
        key: MetricResult(
            value=value,
            label=LABELS[key],
            direction=DIRECTIONS[key],  # type: ignore[arg-type]
            params={"distribution": "ring8-pacgan"},
            n_fake=n,
            n_real=None,
            reason="no sample is of any mode" if value is None else None,
            details={"ceiling_modes": 8.0} if key == "modes" else {},
        )
        for key, value in values.items()
    }
    return Result(
        protocol=dict(protocol),
        samples=SampleInfo(source="made up", fingerprint="cc" * 32, n=n),
        reference=ReferenceInfo(name="ring8-pacgan", split=None, fingerprint=reference, n=None),
        metrics=metrics,
    )


def scores(modes: float, kl: float | None = None, quality: float = 0.9) -> dict[str, float | None]:
    """Values of the three keys; KL falls with the modes where it is not given."""
    return {"modes": modes, "mode_kl": (8 - modes) / 10 + 0.01 if kl is None else kl, "high_quality": quality}


CODE = """# the code of {variant}
class Config:
    lr_G: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
"""


@dataclass(frozen=True)
class SyntheticTrack:
    """A track's folder and ways to put records into it."""

    folder: Path

    @property
    def place(self) -> TrackFolder:
        """The track as it is read."""
        return open_track(str(self.folder))

    def record(self, variant: str, seed: int, values: Values | None, **changed: Any) -> RunRecord:
        """A whole record of the track; `values` are those of its final result, None where it diverged."""
        track, source = self.place.track, CODE.format(variant=variant)
        sha = hashlib.sha256(source.encode()).hexdigest()
        settings = {"lr_G": 2e-4, "betas": [0.5, 0.999], **track.settings.get(variant, {})}
        judging = {
            "reference": track.reference, "protocol": track.protocol, "metrics": track.metrics,
            "validation": track.validation, "ranked_by": track.ranked_by[0], "at": track.evaluate_at,
            "points_n": track.points_n, "raw_n": track.raw_n, "final_n": track.final_n,
        }  # fmt: skip
        spec = {
            "variant": variant, "settings": settings, "variant_sha256": sha, "data": track.dataset,
            "backbone": track.backbone, "batch_size": track.batch_size, "budget": track.budget, "seed": seed,
            "judging": judging, "track": self.folder.name, "kind": track.kind, "device": "cpu", "threads": 1,
        }  # fmt: skip
        whole = RunRecord(
            track=self.folder.name,
            variant=variant,
            seed=seed,
            kind=track.kind,
            status="diverged" if values is None else "finished",
            reason="the loss of D is NaN" if values is None else None,
            budget=BudgetInfo(
                spec=track.budget,
                unit="flop",
                amount=5e12,
                steps=1000,
                flops_per_step=5e9,
                reals_per_step=100,
                fakes_per_step=200,
                sampling_flops=1e6,
                parameters={"G": 10, "D": 20},
            ),
            spent=Spent(
                steps=1000,
                flops=5e12,
                reals=100_000,
                fakes=200_000,
                seconds=61.5 + seed,
                seconds_evaluating=3.0,
                peak_memory=300 << 20,
            ),
            data=DataInfo(name=track.dataset, split=None, fingerprint="dd" * 32, n=100_000, shape=[2], padded_to=[2]),
            config={"spec": spec},
            curve=[] if values is None else [_point(at, values, track.points_n) for at in track.evaluate_at],
            final=None if values is None else result(values, n=track.final_n),
            raw=None if values is None else result(values, n=track.raw_n),
            environment={"versions": {"torch": "2.0"}, "machine": "x86_64", "threads": 1},
            variant_sha256=sha,
            variant_source=source,
            weights_sha256=None if values is None else "ee" * 32,
            command=f"ganbench bench run {self.folder.name} --only {variant}",
        )
        return replace(whole, **changed)

    def add(self, variant: str, seed: int, values: Values | None, *, folder: str = "records", **changed: Any) -> Path:
        """Writes such a record."""
        path = self.folder / folder / f"{variant}-{seed}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.record(variant, seed, values, **changed).to_json(), encoding="utf-8")
        return path

    def add_row(self, variant: str, runs: Sequence[Values | None]) -> None:
        """Writes one record for each of the runs, seeds from 0."""
        for seed, values in enumerate(runs):
            self.add(variant, seed, values)

    def edit(self, path: Path, *keys: str | int, value: Any) -> None:
        """Sets one value in the JSON of a record."""
        whole = json.loads(path.read_text(encoding="utf-8"))
        at = whole
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value
        path.write_text(json.dumps(whole), encoding="utf-8")

    def add_anchors(self, *names: str, values: Values | None = None, n: int | None = None, **changed: Any) -> None:
        """Writes anchors with these values."""
        found = result(values or scores(8, 0.001, 0.989), n=n or self.place.track.final_n, **changed)
        anchors = [
            Anchor(name=name, made=f"{name}, made up", seeds=[0], results=[found], command="-")  # type: ignore[arg-type]
            for name in names
        ]
        text = Anchors(track=self.folder.name, anchors=anchors).to_json()
        (self.folder / "anchors.json").write_text(text, encoding="utf-8")


def _point(at: float, values: Values, n: int) -> CurvePoint:
    earlier = {key: None if value is None else value * (0.5 + at / 2) for key, value in values.items()}
    return CurvePoint(
        fraction=at,
        step=int(1000 * at),
        flops=5e12 * at,
        kimg=100 * at,
        seconds=60 * at,
        n=n,
        ema=earlier,
        raw=dict(earlier),
    )


def synthetic_track(parent: Path, text: str = TRACK, name: str = "toy") -> SyntheticTrack:
    """A track without records in `parent/name`."""
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "track.toml").write_text(text, encoding="utf-8")
    return SyntheticTrack(folder)


def filled(track: SyntheticTrack) -> SyntheticTrack:
    """Three ranked rows and one of a single run, one run of them diverged; floor and ceiling."""
    track.add_row("ns-gan", [scores(m) for m in (5, 6, 6, 7, 4)])
    track.add_row("pacgan", [scores(m) for m in (8, 8, 8, 7, 8)])
    track.add_row("wgan-gp", [scores(7), scores(8), None, scores(7), scores(8)])
    track.add("vae", 0, scores(3))
    track.add_anchors("real vs real", "untrained")
    return track
