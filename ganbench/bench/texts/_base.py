"""What makes vectors of captions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from ganbench.progress import Progress


class Text(ABC):
    """One way from captions to vectors. Nothing of it is learnt in a training."""

    @abstractmethod
    def vectors(self, captions: Sequence[str], progress: Progress) -> Tensor:
        """A vector of length 1 for each caption, float32 (n, d); each depends on its caption alone.

        Raises Unavailable where a package is missing.
        """
