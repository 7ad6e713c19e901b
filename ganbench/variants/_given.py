"""Variants whose samples are made from images or captions."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from ganbench.nets._base import Shape
from ganbench.variants._base import ConditionalVariant


class TranslatingVariant(ConditionalVariant):
    """A variant that makes images out of images: y are source images, float32 (n, *condition) in [-1, 1]."""

    images_only = True

    @property
    def source_shape(self) -> Shape:
        """Of a source image, (c, h, w); its sides are those of the data."""
        assert self.problem.condition is not None, "what translates images is built with their shape"
        return self.problem.condition


class PairedVariant(TranslatingVariant):
    """One that learns from pairs, by `draw_pairs`."""


class UnpairedVariant(TranslatingVariant):
    """One that learns from images of two domains without pairs, by `draw_sources` and `draw`."""

    @abstractmethod
    def back(self, x: Tensor) -> Tensor:
        """Source images for data (n, *shape); called as `generate` is."""


class CaptionedVariant(ConditionalVariant):
    """A variant that learns from captions, by `draw_captioned`: y are their vectors, float32 (n, d)."""

    images_only = True

    @classmethod
    def text(cls, config: Any) -> str:
        """What makes vectors of captions, by name, as the settings say."""
        found: str = config.text
        return found

    @property
    def text_dim(self) -> int:
        """Numbers in the vector of a caption, d."""
        assert self.problem.condition is not None, "what learns from captions is built with the width of their vectors"
        return self.problem.condition[0]
