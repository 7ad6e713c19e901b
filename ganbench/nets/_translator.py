"""CycleGAN's generator: residual blocks between two layers down and two up (Zhu et al. 2017,
https://arxiv.org/abs/1703.10593, after Johnson et al. 2016). Borders are reflected, norms are over one channel of one
image and have no parameters.
"""

from torch import Tensor, nn


def _block(layer: nn.Module, cout: int) -> list[nn.Module]:
    return [layer, nn.GroupNorm(cout, cout, affine=False), nn.ReLU()]


class ResidualBlock(nn.Module):
    """x + norm(3x3(ReLU(norm(3x3(x)))))."""

    def __init__(self, c: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(c, c, 3, 1, 1, bias=False, padding_mode="reflect") for _ in range(2))
        self.layers = nn.Sequential(*_block(first, c), second, nn.GroupNorm(c, c, affine=False))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        found: Tensor = x + self.layers(x)
        return found


class Translator(nn.Module):
    """Images (n, cin, h, w) to images (n, cout, h, w) in [-1, 1]; h and w are multiples of 4.

    Args:
        cin, cout: channels.
        width: channels of the outermost layer; four times as many inside.
        blocks: residual blocks.
    """

    def __init__(self, cin: int, cout: int, *, width: int, blocks: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(nn.Conv2d(cin, width, 7, 1, 3, bias=False, padding_mode="reflect"), width),
            *_block(nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), 2 * width),
            *_block(nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=False), 4 * width),
            *(ResidualBlock(4 * width) for _ in range(blocks)),
            *_block(nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, output_padding=1, bias=False), 2 * width),
            *_block(nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1, bias=False), width),
            nn.Conv2d(width, cout, 7, 1, 3, padding_mode="reflect"),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The translated images."""
        found: Tensor = self.layers(x)
        return found
