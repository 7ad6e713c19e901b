"""PatchGAN: a D that judges patches of an image, each by a logit of its own (Isola et al. 2017,
https://arxiv.org/abs/1611.07004). The first layer has no norm, the last is one channel of logits.
"""

from itertools import pairwise

from torch import Tensor, nn

from ganbench.errors import UsageError

_SLOPE = 0.2
_LEAST = 3  # pixels that the two layers of stride 1 need
_WIDEST = 8  # times the width of the first layer


def layers_for(side: int, asked: int = 0) -> int:
    """Layers of stride 2 for images of that side: those asked for, or where 0 are as many as make patches of 16 pixels
    under 64, of 34 from there, of 70 from 128. Raises UsageError where nothing would be left of the image.
    """
    layers = asked or (1 if side < 64 else 2 if side < 128 else 3)
    if layers < 1 or side >> layers < _LEAST:
        most = (side // _LEAST).bit_length() - 1
        raise UsageError(f"D cannot have {layers} layers of stride 2 on images of {side} pixels. Say 1 to {most}.")
    return layers


def patch_side(layers: int) -> int:
    """Pixels that a logit sees in each direction: 16, 34, 70, 142 for 1 to 4 layers of stride 2."""
    seen = 1
    for stride in (1, 1, *[2] * layers):  # from the logit back to the image
        seen = (seen - 1) * stride + 4
    return seen


class PatchGan(nn.Module):
    """(n, channels, h, w) to a map of logits (n, 1, h', w').

    Args:
        channels: of what is judged; of pairs, of both images together.
        width: channels of the first layer.
        layers: of stride 2; then two 4x4 convolutions of stride 1.
        affine: the norms, each over one channel of one image, have a gain and a bias.
    """

    def __init__(self, channels: int, *, width: int, layers: int, affine: bool) -> None:
        super().__init__()
        widths = [width * min(1 << i, _WIDEST) for i in range(layers + 1)]
        strides = [2] * (layers - 1) + [1]
        made: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(_SLOPE)]
        for (cin, cout), stride in zip(pairwise(widths), strides, strict=True):
            made += [nn.Conv2d(cin, cout, 4, stride, 1, bias=False), nn.GroupNorm(cout, cout, affine=affine)]
            made.append(nn.LeakyReLU(_SLOPE))
        self.layers = nn.Sequential(*made, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, never probabilities."""
        found: Tensor = self.layers(x)
        return found
