"""Pictures straight from a generator, as floats: checked, brought to -1..1 and to one size, and compared in pairs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganbench.errors import BadInput, UsageError
from ganbench.features.devices import CPU, choose, exact
from ganbench.features.perceptual import Distance

Generator = Callable[[Tensor], Tensor]
_RANGES = ((-1, 1), (0, 1), (0, 255))
_NEAR = 1e-3  # of 255: closer to whole numbers than this, pictures have been rounded
_BEYOND, _SHARE = 0.1, 0.1  # so much of the span beyond its ends, in so many pixels: another range than was named
_BENT, _ROUGH = 0.5, 2e-5  # second differences of small steps: as a part of the first ones, and of the span


@contextmanager
def still(G: Generator) -> Iterator[None]:
    """G in eval mode, without gradients and in full float32; its modes come back afterwards."""
    modules = list(G.modules()) if isinstance(G, nn.Module) else []
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        with torch.no_grad(), exact():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def device_of(G: Generator, device: str | None) -> str:
    """The device that is meant: that of G's parameters where None, the CPU where it has none.

    Raises UsageError where it is not there.
    """
    if device is not None:
        return choose(device)
    first = next(G.parameters(), None) if isinstance(G, nn.Module) else None
    return CPU if first is None else str(first.device)


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a generator shows for latent codes, and how far apart it looks.

    Attributes:
        G: from codes (n, ...) to float pictures (n, 3, h, w) or (n, 1, h, w).
        distance: a squared distance of two batches in -1..1.
        device: where the codes go.
        value_range: of G's pictures: (-1, 1), (0, 1) or (0, 255).
        resize: the side to which pictures are brought, or None.

    Raises:
        UsageError: another range or size.
    """

    G: Generator
    distance: Distance
    device: str
    value_range: tuple[float, float]
    resize: int | None

    def __post_init__(self) -> None:
        if tuple(self.value_range) not in _RANGES:
            raise UsageError(f"value_range must be (-1, 1), (0, 1) or (0, 255); found {self.value_range!r}.")
        if self.resize is not None and (not isinstance(self.resize, int) or self.resize < 1):
            raise UsageError(f"resize must be a number of pixels, or None; found {self.resize!r}.")

    def check(self, z: Tensor) -> None:
        """Looks at G's pictures of a few codes.

        Raises UsageError where G fails on codes of this shape, BadInput where its pictures are no floats, lie outside
        the range, are rounded to 8 bits, or are others the second time.
        """
        raw, again = self._first(z), self._raw(z)
        low, high = self.value_range
        span = high - low
        if not torch.isfinite(raw).all():
            raise BadInput("G gives NaN or infinite pixels.")
        self._check_range(raw)
        if float((raw - again).abs().max()) > 1e-6 * span:
            raise BadInput("G gives other pictures for the same codes. Fix its noise: z alone must decide.")
        levels = (raw.double() - low) / span * 255
        if float((levels - levels.round()).abs().max()) < _NEAR and len(np.unique(levels.round().cpu())) > 2:
            raise BadInput(f"G's pixels are rounded to 8 bits. {_WHY_FLOATS}")

    def check_steps(self, *z: Tensor) -> None:
        """Looks at G's pictures of a few codes, z, and of one and two small steps from there.

        Two small steps are twice one, unless rounding hides them. Raises BadInput where it does.
        """
        span = self.value_range[1] - self.value_range[0]
        zero, one, two = (self._raw(each).double() for each in z)
        step, bend = ((x.square().mean().sqrt() / span).item() for x in (one - zero, two - 2 * one + zero))
        if bend > _BENT * step and bend > _ROUGH:
            raise BadInput(
                f"G's pictures do not follow small steps: one changes pixels by {step:.2g} of their range, two miss "
                f"twice that by {bend:.2g}. G computes in half precision, or rounds its codes or pictures. Run it in "
                "float32 (a model compiled by OpenVINO: compile_model(model, 'CPU', "
                "{'INFERENCE_PRECISION_HINT': 'f32'})), or take a larger epsilon."
            )

    def _first(self, z: Tensor) -> Tensor:
        try:
            return self._raw(z)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
            said = next(iter(str(error).strip().splitlines()), "")[:300]
            raise UsageError(
                f"G fails on {z.dtype} codes of shape {tuple(z.shape)} on {self.device}: {type(error).__name__}: "
                f"{said} - Give z_dim= as G takes it, a width or a shape without the first axis, such as (128, 1, 1); "
                "or codes of another kind by sample=."
            ) from error

    def _check_range(self, raw: Tensor) -> None:
        low, high = self.value_range
        beyond = _BEYOND * (high - low)
        outside = float(((raw < low - beyond) | (raw > high + beyond)).float().mean())
        dark = (low, high) == (0, 255) and float(raw.abs().max()) <= 1 + _BEYOND
        if outside > _SHARE or dark:
            where = "next to nothing of" if dark else f"{'most' if outside > 0.5 else 'many'} of them outside"
            raise BadInput(
                f"G's pixels run from {float(raw.min()):.4g} to {float(raw.max()):.4g}, {where} {low:g}..{high:g}. "
                "Name their range: value_range=(-1, 1), (0, 1) or (0, 255)."
            )

    def __call__(self, z: Tensor) -> Tensor:
        """The pictures of codes, (n, 3, h, w) in about -1..1, resized."""
        low, high = self.value_range
        x = (self._raw(z) - low) * (2 / (high - low)) - 1
        x = x.expand(-1, 3, -1, -1)
        if self.resize is None:
            return x
        size = (self.resize, self.resize)
        if min(x.shape[2:]) > self.resize:
            return functional.interpolate(x, size, mode="area")
        return functional.interpolate(x, size, mode="bilinear", align_corners=False)

    def _raw(self, z: Tensor) -> Tensor:
        found = self.G(z.to(self.device))
        if type(found).__module__.startswith("openvino"):
            raise BadInput(
                f"G gives {type(found).__name__}, as a model compiled by OpenVINO does. Wrap it: "
                "lambda z: torch.from_numpy(model(z.numpy())[0]), compiled with {'INFERENCE_PRECISION_HINT': 'f32'}."
            )
        if not isinstance(found, Tensor) or found.dim() != 4 or found.shape[1] not in (1, 3) or len(found) != len(z):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise BadInput(f"G must give pictures (n, 3, h, w) or (n, 1, h, w) for {len(z)} codes; found {shape}.")
        if not found.is_floating_point():
            raise BadInput(f"G gives {found.dtype}. {_WHY_FLOATS}")
        return found.float() if found.dtype in (torch.float16, torch.bfloat16) else found

    def squared(self, a: Tensor, b: Tensor) -> NDArray[np.float64]:
        """The squared distances of two batches of pictures, float64 (n, parts)."""
        found = self.distance(a, b)
        if not isinstance(found, Tensor) or found.dim() not in (1, 2) or len(found) != len(a):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise BadInput(f"A distance must give (n,) or (n, parts) for {len(a)} pairs; found {shape}.")
        parts: NDArray[np.float64] = found.double().cpu().numpy()
        return parts.reshape(len(parts), -1)


_WHY_FLOATS = (
    "Small steps vanish in rounding: with steps of 1e-4, torch-fidelity's documentation has 1146.89 for rounded "
    "pictures of a generator whose path length is 31.04. Give its pictures as floats, before they are rounded."
)
