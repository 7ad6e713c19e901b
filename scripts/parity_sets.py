"""The sets on which metrics are compared with their oracles: seeded, made anew wherever they are needed."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
CLASSES = 3


def draw(n: int, d: int, seed: int, *, scale: float = 1.0, shift: float = 0.0) -> Array:
    """Skewed, correlated, non-negative float32 (n, d): as features of a network are."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
    found: Array = np.maximum(rng.normal(size=(n, d)) @ mix * scale + shift, 0).astype(np.float32)
    return found


def normal(n: int, d: int, seed: int, *, scale: float = 1.0, shift: float = 0.0) -> Array:
    """Independent normal features, float32 (n, d)."""
    return (scale * np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


@cache
def many() -> dict[str, Array]:
    """Features of fakes and reals, more of each than their width."""
    return {"fake": draw(1500, 64, 1), "real": draw(1200, 64, 2, scale=1.3, shift=0.2)}


@cache
def held_out() -> dict[str, Array]:
    """The same, with reals that were held out."""
    return many() | {"test": draw(1000, 64, 5, scale=1.3, shift=0.2)}


def doubles() -> dict[str, Array]:
    """The same fakes and reals in float64."""
    return {side: x.astype(np.float64) for side, x in many().items()}


def logits(n: int = 1000, classes: int = 50) -> Array:
    """Logits of unequally sure guesses, float32 (n, classes)."""
    found: Array = (4 * np.random.default_rng(n).normal(size=(n, classes))).astype(np.float32)
    return found


def pictures(n: int, side: int) -> Array:
    """Patches of colour under noise, uint8 (n, 3, side, side)."""
    rng = np.random.default_rng(1)
    patches = -(-side // 8)
    coarse = rng.normal(size=(n, 3, patches, patches)).repeat(8, axis=2).repeat(8, axis=3)[:, :, :side, :side]
    shared = 0.7 * coarse[:1] + 0.3 * coarse
    return np.clip(127 + 50 * shared + 20 * rng.normal(size=shared.shape), 0, 255).astype(np.uint8)


def ring(n: int) -> Array:
    """Points around five of eight modes on the unit circle, unequally often; some far from all, float64 (n, 2)."""
    rng = np.random.default_rng(3)
    angle = np.pi / 4 * rng.choice(5, n, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.014 * rng.normal(size=(n, 2))


def classed(labels: Array, seed: int) -> Array:
    """Images that show their class beyond doubt, uint8 (n, 3, 6, 6)."""
    patterns = np.random.default_rng(0).uniform(60, 190, size=(CLASSES, 3, 6, 6))
    noise = np.random.default_rng(seed).normal(scale=10, size=(len(labels), 3, 6, 6))
    return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8)


def in_turn(n: int, classes: int = CLASSES) -> Array:
    """Class labels, equally often."""
    return np.arange(n) % classes


def labelled(**labels: Array) -> dict[str, Any]:
    """Images of each side that show these classes, with them, as `ganbench.score` takes them."""
    given: dict[str, Any] = {}
    for seed, (side, classes) in enumerate(labels.items()):
        given |= {side: classed(classes, seed), f"{side}_labels": classes}
    return given
