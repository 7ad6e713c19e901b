"""Measures what survey texts show beside the models, for docs/shows.md: a collapse in the metrics, a critic's loss.

    python scripts/make_shows.py collapse|critic

Each writes docs/records/shows-NAME.json, from which the tables and drawings of the page are made. Some minutes each.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import spearmanr

import ganbench
from ganbench.bench.build import Built, build
from ganbench.bench.judge import image_source, sample
from ganbench.bench.plan import plan_run
from ganbench.charts import chart_of
from ganbench.html import render
from ganbench.images.datasets._base import open_dataset

DOCS = Path(__file__).resolve().parents[1] / "docs"
STEPS, POINTS, DRAWN = 250, 25, 500
# A critic near its optimum: twenty updates for one of G, and on points a weaker rein than on images.
CRITICS = {"wgan": ("n_critic=20", "clip=0.1"), "wgan-gp": ("n_critic=20", "lambda_gp=0.1")}
N, CLASS, SHARES = 500, 1, (0.0, 0.25, 0.5, 0.75, 1.0)
KEYS = ("frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage", "modes", "mode_kl")
METRICS = ["fid", "kid", "precision_recall", "density_coverage", "mode_coverage"]


def collapse() -> dict[str, Any]:
    """Held-out images of Fashion-MNIST as samples, of which a growing share comes from one class, or is one image."""
    source = open_dataset("fashion-mnist", "test")
    labels = source.labels
    assert labels is not None
    rng = np.random.default_rng(0)
    of_class, rest = rng.permutation(np.flatnonzero(labels == CLASS)), rng.permutation(len(labels))
    base = rest[:N]
    spare = of_class[~np.isin(of_class, base)]
    rows = []
    for share in SHARES:
        moved = min(round(share * N), len(spare))
        rows.append({"what": "one class", "share": moved / N, **scored(np.concatenate([spare[:moved], base[moved:]]))})
    one = np.array([np.flatnonzero(labels == label)[0] for label in labels[base]])
    for share in SHARES[1:]:
        moved = round(share * N)
        rows.append(
            {"what": "one image a class", "share": share, **scored(np.concatenate([one[:moved], base[moved:]]))}
        )
    return {"reference": "fashion-mnist", "samples": "fashion-mnist:test", "n": N, "class": CLASS, "rows": rows}


def scored(rows: np.ndarray) -> dict[str, float | None]:
    """The scores of test images as samples."""
    source = open_dataset("fashion-mnist", "test")
    once, places = np.unique(rows, return_inverse=True)  # a source is read in ascending order
    pixels = np.stack([image.pixels for image in source.images([int(row) for row in once])])
    images = torch.from_numpy(pixels[places])
    report = ganbench.evaluate(fake=image_source(images, "shows"), real="fashion-mnist", metrics=METRICS, cache=False)
    return {key: report[key].value for key in KEYS}


def critic() -> dict[str, Any]:
    """Over trainings on the ring: what the critic's loss says, and how far samples and data are apart."""
    found = {variant: trained(variant) for variant in CRITICS}
    return {"data": "ring8-pacgan", "steps": STEPS, "drawn": DRAWN, "seed": 0, "variants": found}


def trained(variant: str, steps: int = STEPS, points: int = POINTS) -> dict[str, Any]:
    """The critic's estimate, its mean over the updates since the last point, and the Wasserstein distance there."""
    settings = CRITICS[variant]
    built = build(plan_run(variant, data="ring8-pacgan", budget=f"{steps}steps", settings=settings, judged=0))
    columns: dict[str, list[float]] = {"steps": [], "critic": [], "distance": []}
    told: list[float] = []
    for step in range(1, steps + 1):
        told.append(-float(built.variant.step(built.stream)["D"]))
        if step % (steps // points) == 0:
            columns["steps"].append(step)
            columns["critic"].append(float(np.mean(told)))
            columns["distance"].append(distance(built))
            told = []
    agreement = float(spearmanr(columns["critic"], columns["distance"]).statistic)
    return {"settings": list(settings), "rank_correlation": agreement, **columns}


def distance(built: Built, n: int = DRAWN) -> float:
    """W1 of n samples of the plain weights and the first n data: the mean length of the cheapest assignment."""
    fake, real = sample(built, n).double().numpy(), built.data.values[:n].double().numpy()
    lengths = np.linalg.norm(fake[:, None] - real[None], axis=2)
    return float(lengths[linear_sum_assignment(lengths)].mean())


def drawing(columns: dict[str, list[float]], name: str) -> str:
    """Critic and distance over the steps, as SVG."""
    chart = chart_of({key: columns[key] for key in ("steps", "critic", "distance")})
    assert chart is not None
    return str(render("losses.svg", chart=chart, name=name)).strip() + "\n"


SHOWS: dict[str, Callable[[], dict[str, Any]]] = {"collapse": collapse, "critic": critic}


def main() -> int:
    """Measures what is named, or all."""
    for name in sys.argv[1:] or SHOWS:
        record = SHOWS[name]()
        (DOCS / "records" / f"shows-{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        if name == "critic":
            (DOCS / "pictures").mkdir(exist_ok=True)
            for variant, columns in record["variants"].items():
                (DOCS / "pictures" / f"critic-{variant}.svg").write_text(drawing(columns, variant), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
