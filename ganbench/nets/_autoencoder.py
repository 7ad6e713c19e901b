"""A D that is an auto-encoder, made of any backbone: its discriminator encodes, its generator's form decodes."""

from torch import Tensor, nn

from ganbench.nets._base import Backbone, Shape
from ganbench.nets._plain import without_norm


class AutoEncoder(nn.Module):
    """Data (n, *shape) to codes (n, width) and back.

    Args:
        encoder: to codes.
        decoder: from codes.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def encode(self, x: Tensor) -> Tensor:
        """Codes (n, width)."""
        found: Tensor = self.encoder(x)
        return found

    def decode(self, h: Tensor) -> Tensor:
        """Data (n, *shape) of codes."""
        found: Tensor = self.decoder(h)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """What is left of the data behind their codes, in their shape."""
        return self.decode(self.encode(x))


def auto_encoder(backbone: type[Backbone], shape: Shape) -> AutoEncoder:
    """The auto-encoder of a backbone, its codes as wide as z.

    Neither half has a normalisation: with one over the batch, what is left of a datum would depend on its neighbours.
    """
    encoder = backbone.discriminator(shape, norm="none", outputs=backbone.z_dim)
    return AutoEncoder(encoder, without_norm(backbone.generator(shape)))
