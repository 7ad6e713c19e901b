"""Self-attention between the places of a map of features (Zhang et al. 2019, https://arxiv.org/abs/1805.08318)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from ganbench.nets._base import Norm
from ganbench.nets._layers import conv


class SelfAttention(nn.Module):
    """y = x + gamma o(x), gamma learnt from 0, so that it begins as the identity.

        a_ij = softmax over j of <theta(x)_i, phi(x)_j>,    o_i = W_o sum_j a_ij g(x)_j

    i goes over the places of x and j over those of phi and g, whose sides max pooling halves. theta and phi have c / 8
    channels, g has c / 2; all four maps are 1x1 convolutions without bias.

    Args:
        c: channels of x, at least 8.
        norm: of the convolutions, "spectral" or none.
    """

    def __init__(self, c: int, norm: Norm) -> None:
        super().__init__()
        self.theta, self.phi = conv(c, c // 8, 1, norm, bias=False), conv(c, c // 8, 1, norm, bias=False)
        self.g, self.out = conv(c, c // 2, 1, norm, bias=False), conv(c // 2, c, 1, norm, bias=False)
        self.gamma = nn.Parameter(torch.empty(()))

    def reset(self, _: torch.Generator) -> None:
        """gamma = 0."""
        self.gamma.zero_()

    def weights(self, x: Tensor) -> Tensor:
        """a, (n, h w, h w / 4): each row sums to 1."""
        theta, phi = self.theta(x).flatten(2), max_pool2d(self.phi(x), 2).flatten(2)
        return torch.softmax(theta.transpose(1, 2) @ phi, dim=2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to the same shape."""
        g = max_pool2d(self.g(x), 2).flatten(2)
        seen = (g @ self.weights(x).transpose(1, 2)).view(len(x), -1, *x.shape[2:])
        found: Tensor = x + self.gamma * self.out(seen)
        return found
