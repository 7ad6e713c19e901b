"""StyleGAN's generator (Karras et al. 2019, https://arxiv.org/abs/1812.04948), small enough for 28 to 64 pixels.

z, brought to length sqrt(z_dim), goes through a mapping to w. A learnt constant, 4 x 4 (7 x 7 for 28 pixels), goes
through layers, two at each side; a layer is 3x3 convolution (the first has none), noise, LeakyReLU 0.2, AdaIN. A 1x1
convolution makes the picture. Every part can be left out, as the arguments say.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganbench.nets._base import Shape
from ganbench.nets._equalised import EqualConv2d, EqualLinear, leaky
from ganbench.nets._growing import channels, doubled, enlarged, first_image, sides, split
from ganbench.nets.began import Cut

_EPS = 1e-8
_FOLLOWED = 0.005  # share of a batch in the running mean of w


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a generator is made of.

    Attributes:
        z_dim: width of z and w.
        width: channels at the side of the image, which double at each half of it.
        mapping: layers from z to w; with 0 w is z.
        mapping_rate: how fast they learn, as a multiple.
        constant: begins at a learnt constant; otherwise at a linear map of w.
        adain: w enters each layer by AdaIN; otherwise each layer ends in a norm over channels.
        noise: is added in each layer.
        equalised: all layers learn at an equalised rate.
    """

    z_dim: int = 64
    width: int = 16
    mapping: int = 2
    mapping_rate: float = 0.01
    constant: bool = True
    adain: bool = True
    noise: bool = True
    equalised: bool = True


def normed(x: Tensor) -> Tensor:
    """x / sqrt(mean x^2 over channels), for (n, c) or (n, c, h, w)."""
    found: Tensor = x * (x.square().mean(1, keepdim=True) + _EPS).rsqrt()
    return found


def adain(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """y_s (x - mu) / sigma + y_b, mu and sigma over the places of each map: x (n, c, h, w), y_s and y_b (n, c)."""
    centred = x - x.mean((2, 3), keepdim=True)
    still = centred * (centred.square().mean((2, 3), keepdim=True) + _EPS).rsqrt()
    return scale[:, :, None, None] * still + shift[:, :, None, None]


class Mapping(nn.Module):
    """z (n, z_dim) to w (n, z_dim); in training it keeps the running mean of w, around which w can be truncated."""

    running_mean: Tensor

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EqualLinear(parts.z_dim, parts.z_dim, rate=parts.mapping_rate, equalised=parts.equalised)
            for _ in range(parts.mapping)
        )
        self.register_buffer("running_mean", torch.empty(parts.z_dim))

    def reset(self, _: torch.Generator) -> None:
        """The mean begins at 0."""
        self.running_mean.zero_()

    def forward(self, z: Tensor) -> Tensor:
        """w."""
        w = normed(z)
        for layer in self.layers:
            w = leaky(layer(w))
        if self.training:
            self.running_mean.lerp_(w.detach().mean(0), _FOLLOWED)
        return w


class Layer(nn.Module):
    """Convolution, noise, LeakyReLU, AdaIN, in this order.

    Args:
        cin: channels that come; 0 where there is no convolution.
        cout: channels that go.
        parts: of the generator.
    """

    def __init__(self, cin: int, cout: int, parts: Parts) -> None:
        super().__init__()
        self.conv = EqualConv2d(cin, cout, 3, equalised=parts.equalised) if cin else None
        self.strength = nn.Parameter(torch.empty(cout)) if parts.noise else None
        self.scale = self._affine(cout, parts, 1.0) if parts.adain else None
        self.shift = self._affine(cout, parts, 0.0) if parts.adain else None

    @staticmethod
    def _affine(cout: int, parts: Parts, biased: float) -> EqualLinear:
        return EqualLinear(parts.z_dim, cout, gain=1.0, biased=biased, equalised=parts.equalised)

    def reset(self, _: torch.Generator) -> None:
        """Noise begins at 0."""
        if self.strength is not None:
            self.strength.zero_()

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """(n, cin, h, w), w (n, z_dim) and noise (n, 1, h, w) to (n, cout, h, w)."""
        if self.conv is not None:
            x = self.conv(x)
        if self.strength is not None:
            assert noise is not None
            x = x + self.strength[:, None, None] * noise
        x = leaky(x)
        if self.scale is None or self.shift is None:
            return normed(x)
        return adain(x, self.scale(w), self.shift(w))


class StyleGenerator(nn.Module):
    """From codes to pictures. A code holds z and behind it the noise of all layers, so that it decides a picture.

    The attribute `level` (nets._growing), a buffer on the CPU, is set by whoever trains the network.

    Args:
        shape: of an image.
        parts: what it is made of.
        grows: pictures can be made at smaller sides.
    """

    level: Tensor

    def __init__(self, shape: Shape, parts: Parts, *, grows: bool) -> None:
        super().__init__()
        self.sides, widths = sides(shape[1]), channels(shape[1], parts.width)
        self.side, self.parts = shape[1], parts
        self.first = first_image(shape[1]) if grows else len(self.sides) - 1
        self.mapping = Mapping(parts)
        flat = widths[0] * self.sides[0] ** 2
        self.constant = nn.Parameter(torch.empty(flat)) if parts.constant else None
        self.start = None if parts.constant else EqualLinear(parts.z_dim, flat, equalised=parts.equalised)
        pairs = [(0, widths[0]), (widths[0], widths[0])]
        for cin, cout in pairwise(widths):
            pairs += [(cin, cout), (cout, cout)]
        self.layers = nn.ModuleList(Layer(cin, cout, parts) for cin, cout in pairs)
        self.rgb = nn.ModuleList(
            EqualConv2d(c, shape[0], 1, gain=1.0, equalised=parts.equalised) for c in widths[self.first :]
        )
        self.cut = Cut()

    def reset(self, generator: torch.Generator) -> None:
        """The constant begins as N(0, 1)."""
        if self.constant is not None:
            nn.init.normal_(self.constant, generator=generator)

    @property
    def noise_dim(self) -> int:
        """Numbers of noise in a code."""
        return 2 * sum(side**2 for side in self.sides) if self.parts.noise else 0

    @property
    def depth(self) -> int:
        """Layers that are in use at this level."""
        return 2 * (self.first + split(float(self.level))[0] + 1)

    def forward(self, code: Tensor, psi: float = 1.0) -> Tensor:
        """Codes (n, z_dim + noise_dim) to pictures (n, c, h, w) at the full side, w drawn to its mean by 1 - psi."""
        w = self.styles(code)
        if psi != 1:
            w = self.mapping.running_mean.lerp(w, psi)
        return self.from_styles(w, code)

    def styles(self, code: Tensor) -> Tensor:
        """w (n, z_dim) of codes."""
        found: Tensor = self.mapping(code[:, : self.parts.z_dim])
        return found

    def from_styles(self, w: Tensor, code: Tensor) -> Tensor:
        """Pictures (n, c, h, w) at the full side of w (n, z_dim), with the noise of codes."""
        ws = w[:, None].expand(-1, self.depth, -1)
        return enlarged(self.synthesis(ws, code[:, self.parts.z_dim :]), self.side)

    def synthesis(self, ws: Tensor, noise: Tensor) -> Tensor:
        """A w for each layer, (n, depth, z_dim), and noise (n, noise_dim) to pictures at the side of the level."""
        k, alpha = split(float(self.level))
        maps = self._maps(noise)
        x, before = self._begun(ws[:, 0]), None
        for i in range(2 * (self.first + k + 1)):
            if i and i % 2 == 0:
                before, x = x, interpolate(x, scale_factor=2.0, mode="bilinear")
            x = self.layers[i](x, ws[:, i], maps[i] if maps else None)
        picture = self.rgb[k](x)
        if alpha < 1:
            assert before is not None
            picture = doubled(self.rgb[k - 1](before)).lerp(picture, alpha)
        found: Tensor = self.cut(picture)
        return found

    def _begun(self, w: Tensor) -> Tensor:
        """The smallest map, before its first layer."""
        if self.constant is not None:
            flat = self.constant.repeat(len(w), 1)
        else:
            assert self.start is not None
            flat = self.start(w)
        return flat.view(len(w), -1, self.sides[0], self.sides[0])

    def _maps(self, noise: Tensor) -> list[Tensor]:
        """The noise of each layer, (n, 1, h, w)."""
        if not self.parts.noise:
            return []
        counts = [side for side in self.sides for _ in range(2)]
        parts = torch.split(noise, [side**2 for side in counts], dim=1)
        return [part.view(-1, 1, side, side) for part, side in zip(parts, counts, strict=True)]
