"""Perceptual distances between pictures by name: how far apart two batches look.

A distance takes two float32 batches (n, 3, h, w) in -1..1 on one device and gives the squared distances, (n,), or
their parts, (n, parts), which are to be added up. It must be quadratic in a small change, as squared distances are.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from ganbench.errors import Unavailable, UsageError
from ganbench.features.extractors.efficientnet_lite0 import EfficientNetLite0
from ganbench.features.lpips import Lpips
from ganbench.features.weights import locate
from ganbench.progress import Progress, silent

Distance = Callable[[Tensor, Tensor], Tensor]
_SIDE, _MIDDLE, _SCALE = 224, 127.0, 128.0  # the input of EfficientNet-Lite0, as in the protocol `embedded`


class Embedded(nn.Module):
    """Squared Euclidean distance of EfficientNet-Lite0's pooled features at unit length: 0 to 2; works offline.

    Pictures are brought to 224 pixels by antialiased bicubic interpolation, and are not rounded or clamped.

    Args:
        network: EfficientNet-Lite0 with its weights.
    """

    def __init__(self, network: EfficientNetLite0) -> None:
        super().__init__()
        self.network = network

    @classmethod
    def load(cls) -> "Embedded":
        """With the weights that come with the installation. Raises Unavailable where they are missing."""
        return cls(EfficientNetLite0.load(locate(EfficientNetLite0.weights)[0])).eval()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The squared distances of two float32 batches (n, 3, h, w) in -1..1: (n,)."""
        one, other = self._features(a), self._features(b)
        return (one - other).square().sum(dim=1)

    def _features(self, x: Tensor) -> Tensor:
        x = functional.interpolate(x.float(), (_SIDE, _SIDE), mode="bicubic", antialias=True)
        return functional.normalize(self.network(((x + 1) * 127.5 - _MIDDLE) / _SCALE)["pool"], dim=1)


def distance_of(given: str | Distance, device: str, *, progress: Progress = silent) -> Distance:
    """A distance by its name, "embedded" or "lpips", on a device; or the user's own, as it is.

    Raises UsageError for another name, Unavailable where weights are nowhere to be had.
    """
    if not isinstance(given, str):
        return given
    if given == "embedded":
        return Embedded.load().to(device)
    if given == "lpips":
        try:
            return Lpips.load(progress=progress).to(device)
        except Unavailable as error:
            raise Unavailable(
                f"{error}\nFrom Python, files of your own: distance=ganbench.features.lpips.Lpips.load(vgg=FILE, "
                'heads=FILE); or without them: distance="embedded".'
            ) from error
    raise UsageError(f"Unknown distance {given!r}. There are: embedded, lpips, or a callable of two batches.")
