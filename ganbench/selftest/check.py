"""One check: what was found, what was wanted, how far they may be apart, and what it means if they are."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding.

    Attributes:
        group: "arithmetic", "network" or "images".
        name: what was looked at.
        found: the number; None where it could not be had, `error` then says why.
        wanted: what it should be.
        tolerance: how far they may be apart.
        cure: what a failure means and what to do about it.
        error: what went wrong.
    """

    group: str
    name: str
    found: float | None
    wanted: float
    tolerance: float
    cure: str
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether a finite number was found within the tolerance."""
        return self.found is not None and math.isfinite(self.found) and abs(self.found - self.wanted) <= self.tolerance


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes the checks of one group that share a cure."""

    group: str
    cure: str

    def near(self, name: str, found: float | None, wanted: float, tolerance: float, *, error: str = "") -> Check:
        """The check that `found` is `wanted` within `tolerance`."""
        # A number that JSON lacks is a finding, too: it goes into the words.
        if found is not None and not math.isfinite(found):
            found, error = None, error or f"the computation gave {found}"
        return Check(
            group=self.group, name=name, found=found, wanted=wanted, tolerance=tolerance, cure=self.cure, error=error
        )

    def tried(self, name: str, wanted: float, tolerance: float, compute: Callable[[], float]) -> Check:
        """As `near`, of what `compute` returns; whatever it raises is a failure."""
        try:
            found = float(compute())
        except Exception as error:  # a broken machine may raise anything
            return self.near(name, None, wanted, tolerance, error=said(error))
        return self.near(name, found, wanted, tolerance)

    def guarded(self, name: str, compute: Callable[[], Iterator[Check]]) -> list[Check]:
        """The checks that `compute` yields; whatever it raises ends them with a failed one."""
        found: list[Check] = []
        try:
            found.extend(compute())
        except Exception as error:  # a broken machine may raise anything
            found.append(self.near(name, None, 0.0, 0.0, error=said(error)))
        return found


def said(error: Exception) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}".replace("\n", " ")
