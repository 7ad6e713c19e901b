"""What some variants can do beside making samples, known by the methods that they have."""

from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Coded(Protocol):
    """Its codes say a category and some numbers, which D's head reads again from pictures."""

    config: Any  # `categories` and `continuous`: how many
    D: Any  # from pictures to the logit and what the head says, (n, categories + continuous)

    def codes(self, z: Tensor) -> Any:
        """What codes say: `category` int64 (n,), `continuous` (n, m) in [-1, 1]."""
        ...

    def coded(self, z: Tensor, *, category: Tensor | None = None, continuous: Tensor | None = None) -> Tensor:
        """z that say something else, and are what they were otherwise."""
        ...


@runtime_checkable
class Styled(Protocol):
    """A generator that first makes a style w of a code."""

    def styles(self, code: Tensor) -> Tensor:
        """w of codes."""
        ...

    def from_styles(self, w: Tensor, code: Tensor) -> Tensor:
        """Pictures of w, with whatever else codes hold."""
        ...


def styled(variant: Any) -> Styled | None:
    """The generator of a variant, where it makes styles: not every variant has a G."""
    G = getattr(variant, "G", None)
    return G if isinstance(G, Styled) else None


@runtime_checkable
class Truncated(Protocol):
    """It can draw w towards its mean."""

    def truncated(self, z: Tensor, psi: float) -> Tensor:
        """Pictures of codes, w at the share psi of its way from the mean."""
        ...
