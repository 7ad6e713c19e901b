"""Spectral normalisation (Miyato et al. 2018, https://arxiv.org/abs/1802.05957) as layers.

W_SN = W / sigma(W), sigma estimated by one power iteration at each forward in training; frozen in eval. W of a
convolution is taken as (out, in k k). Beside torch's own parametrisation these draw u from a passed generator.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPS = 1e-12


def _normalised(v: Tensor) -> Tensor:
    found: Tensor = v / (v.norm() + _EPS)
    return found


class _Spectral(nn.Module):
    weight: Tensor
    u: Tensor

    def _rows(self) -> Tensor:
        return self.weight.flatten(1)

    def reset(self, generator: torch.Generator) -> None:
        """Draws u."""
        nn.init.normal_(self.u, generator=generator)
        self.u.div_(self.u.norm())

    def normed_weight(self) -> Tensor:
        """W / sigma(W); in training u takes one step of the power iteration first."""
        w = self._rows()
        with torch.no_grad():
            v = _normalised(w.t() @ self.u)
            u = _normalised(w @ v)
            if self.training:
                self.u.copy_(u)
        sigma = torch.dot(u, w @ v)  # the gradient goes through W, not through u and v
        return self.weight / sigma


class SpectralLinear(_Spectral, nn.Linear):
    """nn.Linear with W / sigma(W)."""

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.register_buffer("u", torch.empty(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """(n, in) to (n, out)."""
        return functional.linear(x, self.normed_weight(), self.bias)


class SpectralConv2d(_Spectral, nn.Conv2d):
    """nn.Conv2d with W / sigma(W)."""

    def __init__(
        self, cin: int, cout: int, kernel: int, *, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__(cin, cout, kernel, stride, padding, bias=bias)
        self.register_buffer("u", torch.empty(cout))

    def forward(self, x: Tensor) -> Tensor:
        """(n, cin, h, w) to (n, cout, h', w')."""
        return functional.conv2d(x, self.normed_weight(), self.bias, self.stride, self.padding)
