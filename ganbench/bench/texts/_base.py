"""What makes vectors of captions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from ganbench.progress import Progress


class Text(ABC):
    """One way from captions to vectors. Nothing of it is learnt in a training."""

    @abstractmethod
    def vectors(self, captions: Sequence[str], progress: Progress) -> Tensor:
        """A vector for each caption, float32 (n, d); each depends on its caption alone.

        Of length sqrt(d), so that its numbers are as large as N(0, 1): what is added to such noise is to be seen in it.

        Raises Unavailable where a package is missing.
        """
