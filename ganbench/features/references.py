"""A reference: what is known of the real images under one protocol, so that they need not be looked at again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import UsageError
from ganbench.features.moments import F64, Moments
from ganbench.features.stats import Features
from ganbench.protocol import Protocol

# moments -> R, float64 (d, r), with cov = R Rᵀ
Factors = Callable[[Moments], F64]


class ReferenceFeatures(Features):
    """Features of a reference at one head. The factor of the covariance may come from a cache.

    Args:
        values: as in Features.
        moments: as in Features; None only where `values` are of all images.
        neighbours: as in Features.
        factors: gives the factor of these moments, from a cache or by making it.
    """

    def __init__(
        self,
        values: NDArray[np.floating] | None = None,
        *,
        moments: Moments | None = None,
        neighbours: F64 | None = None,
        factors: Factors | None = None,
    ) -> None:
        super().__init__(values, moments=moments, neighbours=neighbours)
        self._factors = factors or root

    @cached_property
    def factor(self) -> F64:
        """R, (d, r), with cov = R Rᵀ, as in Features."""
        return self._factors(self.moments)


def root(moments: Moments) -> F64:
    """R, (d, r), with cov = R Rᵀ, as Features makes it: the making that a cache saves."""
    return Features(moments=moments).factor


@dataclass(frozen=True, eq=False)
class Reference:
    """Statistics of real images under one protocol.

    Attributes:
        name: how it is asked for.
        split: part of the dataset, or None where there are no parts.
        n: images behind the moments; None where a file does not say.
        protocol_fingerprint: of the protocol that made it; None where a file does not say and the user asserts it.
        heads: what is known, by head of the network.
        fingerprint: of the images, the protocol and what was kept, where the images were at hand: the same on
            every machine. Of the numbers themselves where a file is all there is.
        indices: int64 (m,), positions among the n images whose features are kept; None for all of them.
        labels: int64 (m,), the class of each kept row, where the images had classes.
        info: where it comes from. Among the keys: `protocol`, `source`, `source_fingerprint`, `lossy`, `command`, and
            `labels_sha256` where there are labels.
        used: int64 (n,), positions of the images in their source, where some of it was passed over; None for all.
    """

    name: str
    split: str | None
    n: int | None
    protocol_fingerprint: str | None
    heads: Mapping[str, Features]
    fingerprint: str
    indices: NDArray[np.int64] | None = None
    labels: NDArray[np.int64] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    used: NDArray[np.int64] | None = None

    @property
    def spec(self) -> str:
        """NAME:SPLIT, as `--ref` takes it."""
        return f"{self.name}:{self.split}" if self.split else self.name

    @property
    def protocol_name(self) -> str | None:
        """The name of the protocol that made it, where that is known."""
        protocol = self.info.get("protocol")
        return protocol["name"] if protocol else None

    def check_protocol(self, protocol: Protocol) -> "Reference":
        """Returns itself if it was made with `protocol`, or says nothing of its protocol. Raises UsageError else."""
        if self.protocol_fingerprint in (None, protocol.fingerprint):
            return self
        raise other_protocol(self.spec, [(self.protocol_name, self.protocol_fingerprint)], protocol)

    def asserted(self, name: str, split: str, *, protocol: Protocol, made: str) -> "Reference":
        """The same statistics under a name and a protocol that the user, or who published them, vouches for."""
        return replace(
            self,
            name=name,
            split=split,
            protocol_fingerprint=protocol.fingerprint,
            info={**self.info, "protocol": protocol.record(), "made": made},
        )


def other_protocol(spec: str, found: Sequence[tuple[str | None, str | None]], wanted: Protocol) -> UsageError:
    """The error for statistics that exist, and were made with another protocol."""
    those = ", ".join(f"{name or 'unnamed'} ({(fingerprint or '?')[:12]})" for name, fingerprint in found)
    names = [name for name, _ in found if name and name != wanted.name]
    cure = f"Give --protocol {names[0]}, or make" if names else "Make"
    return UsageError(
        f"{spec!r} has statistics of another protocol: found {those}, wanted {wanted.name} "
        f"({wanted.fingerprint[:12]}). {cure} them from the images: "
        f"ganbench ref make {spec.partition(':')[0]} --from IMAGES --protocol {wanted.name}"
    )
