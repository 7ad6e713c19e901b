"""Named mixtures of Gaussians, each with the protocol by which papers count the modes that a generator reaches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganbench.registry import unknown
from ganbench.serialize import canonical_sha256

F64 = NDArray[np.float64]
_BLOCK = 4096  # points whose distances are taken at once


@dataclass(frozen=True, eq=False)
class Mixture:
    """Equally frequent Gaussian modes, and what counts as a good sample of them.

    Attributes:
        name: as in `--ref`.
        centres: float64, (K, d). They lie so far apart that a good sample belongs to one mode alone.
        sigma: standard deviation of a mode along each coordinate in which it spreads.
        spread: bool (K, d): the coordinates in which each mode spreads; constant in the others.
        shape: "disc": a sample is good where its distance from the nearest centre is less than `radius` sigma; "box":
            where each coordinate's is; "rms": where the distance divided by the root of the number of coordinates in
            which a mode spreads is.
        radius: that number.
        counted: whether divergences look at the good samples or at all, each with its nearest mode.
        n: samples that the protocol draws.
    """

    name: str
    centres: F64
    sigma: float
    spread: NDArray[np.bool_]
    shape: Literal["disc", "box", "rms"]
    radius: float
    counted: Literal["good", "all"]
    n: int

    @property
    def d(self) -> int:
        """Number of coordinates."""
        return int(self.centres.shape[1])

    @property
    def modes(self) -> int:
        """Number of modes, K."""
        return len(self.centres)

    @property
    def good_share(self) -> float:
        """The share of good samples that the mixture itself reaches: exact."""
        from scipy.stats import chi2, norm  # takes half a second to import

        dimensions = int(self.spread[0].sum())
        if self.shape == "box":
            return float((2 * norm.cdf(self.radius) - 1) ** dimensions)
        scale = dimensions if self.shape == "rms" else 1
        return float(chi2.cdf(self.radius**2 * scale, dimensions))

    def assign(self, points: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """For points (n, d) the nearest mode, (n,), and whether the point is a good sample of it, (n,)."""
        parts = [self._assign(points[i : i + _BLOCK].astype(np.float64)) for i in range(0, len(points), _BLOCK)]
        return np.concatenate([mode for mode, _ in parts]), np.concatenate([good for _, good in parts])

    def _assign(self, x: F64) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        squared = np.stack([((x - centre) ** 2).sum(axis=1) for centre in self.centres], axis=1)
        mode = squared.argmin(axis=1)
        limit = self.radius * self.sigma
        if self.shape == "box":
            return mode, (np.abs(x - self.centres[mode]) < limit).all(axis=1)
        scale = int(self.spread[0].sum()) if self.shape == "rms" else 1
        return mode, squared[np.arange(len(x)), mode] < limit**2 * scale

    def sample(self, n: int, rng: np.random.Generator) -> F64:
        """n points of the mixture itself, (n, d)."""
        mode = rng.integers(self.modes, size=n)
        return self.centres[mode] + self.sigma * rng.standard_normal((n, self.d)) * self.spread[mode]

    def record(self) -> dict[str, Any]:
        """What it is, as a result shows it."""
        return {
            "distribution": self.name,
            "modes": self.modes,
            "d": self.d,
            "sigma": self.sigma,
            "good": {"shape": self.shape, "radius": self.radius},
            "counted": self.counted,
            "n": self.n,
        }

    @property
    def fingerprint(self) -> str:
        """sha256 over all that changes numbers: equal fingerprints, comparable results."""
        return canonical_sha256({
            "centres": (np.round(self.centres, 9) + 0.0).tolist(),  # cosines differ in their last bits by machine
            "spread": [np.flatnonzero(row).tolist() for row in self.spread],
            **{name: value for name, value in self.record().items() if name not in ("distribution", "n")},
        })  # fmt: skip


def _ring(name: str, *, r: float, sigma: float, box: bool = False) -> Mixture:
    angle = 2 * np.pi * np.arange(8) / 8
    centres = r * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    everywhere = np.ones((8, 2), dtype=bool)
    if box:
        return Mixture(name, centres, sigma, everywhere, shape="box", radius=3, counted="all", n=50_000)
    return Mixture(name, centres, sigma, everywhere, shape="disc", radius=3, counted="good", n=2_500)


def _ring8_pacgan() -> Mixture:
    """Lin et al. 2018: radius 1, sigma 0.01; divergences over the good samples alone."""
    return _ring("ring8-pacgan", r=1, sigma=0.01)


def _ring8_unrolled() -> Mixture:
    """Metz et al. 2017: radius 2, sigma 0.02, judged as in PacGAN: the paper shows pictures alone.

    All eight centres: the notebook that was published with it puts the last upon the first.
    """
    return _ring("ring8-unrolled", r=2, sigma=0.02)


def _ring8_selfcond() -> Mixture:
    """Liu et al. 2020: radius 2, sigma 0.01, a box of three sigma; divergences over all samples."""
    return _ring("ring8-selfcond", r=2, sigma=0.01, box=True)


def _grid25() -> Mixture:
    """Five times five modes from -4 to 4, sigma 0.05, judged as in PacGAN."""
    side = np.arange(-4.0, 5.0, 2.0)
    centres = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(25, 2)
    everywhere = np.ones((25, 2), dtype=bool)
    return Mixture("grid25", centres, 0.05, everywhere, shape="disc", radius=3, counted="good", n=2_500)


def _mog1200d() -> Mixture:
    """Srivastava et al. 2017: ten modes that each spread in 700 of 1,200 coordinates, good within ten sigma.

    The paper tells neither centres nor sigma. Here mode k spreads in the coordinates 50 k to 50 k + 699, its centre
    is 1 in each tenth coordinate beginning with the k-th and 0 elsewhere, and sigma is 0.01. Ten sigma are taken of
    the root mean square over 700 coordinates: of the plain distance no sample of the truth would be good, since a
    Gaussian in 700 dimensions lies 26.5 sigma from its centre.
    """
    mode, coordinate = np.arange(10)[:, None], np.arange(1200)
    centres = (coordinate % 10 == mode).astype(np.float64)
    spread = (coordinate >= 50 * mode) & (coordinate < 50 * mode + 700)
    return Mixture("mog1200d", centres, 0.01, spread, shape="rms", radius=10, counted="good", n=2_500)


_MAKERS: dict[str, Callable[[], Mixture]] = {
    "ring8-pacgan": _ring8_pacgan,
    "ring8-unrolled": _ring8_unrolled,
    "ring8-selfcond": _ring8_selfcond,
    "grid25": _grid25,
    "mog1200d": _mog1200d,
}


def mixture_names() -> list[str]:
    """The names of the mixtures."""
    return list(_MAKERS)


def get_mixture(name: str) -> Mixture:
    """The mixture of that name. Raises UsageError with the nearest name where there is none."""
    if name not in _MAKERS:
        raise unknown("distribution", name, mixture_names())
    return _MAKERS[name]()


def mixture_summary(name: str) -> str:
    """One line that says what it is."""
    return (_MAKERS[name].__doc__ or "").partition("\n")[0]
