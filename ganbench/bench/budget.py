"""How long a training may go on: a budget, and the meter that the stream of real data charges."""

from dataclasses import dataclass

from ganbench.amounts import TIERS, Unit, read_amount
from ganbench.bench.cost import Cost
from ganbench.errors import UsageError


@dataclass(frozen=True)
class Budget:
    """An amount of one unit: training FLOPs, thousands of real images, generator updates or seconds of training."""

    unit: Unit
    amount: float

    @staticmethod
    def parse(text: str) -> "Budget":
        """Reads `2e13flop`, a tier such as `nano`, `200kimg`, `5000steps` or `10min`. Raises UsageError."""
        return Budget(*read_amount(text))

    def __str__(self) -> str:
        tier = next((name for name, flop in TIERS.items() if (self.unit, self.amount) == ("flop", flop)), None)
        return tier or f"{self.amount:g}{self.unit}"

    def price(self, cost: Cost) -> float:
        """What one step takes of its unit, which is not seconds."""
        return {"flop": cost.flops, "kimg": cost.reals / 1000, "steps": 1.0}[self.unit]

    def steps(self, cost: Cost) -> int | None:
        """Generator updates that it allows; None where only a clock tells. Raises UsageError where it allows none."""
        if self.unit == "seconds":
            return None
        price = self.price(cost)
        steps = int(self.amount / price * (1 + 1e-12))
        if self.unit == "flop" and cost.stages:
            steps = self._fitted(cost, steps)
        if steps < 1:
            raise UsageError(f"The budget {self} is less than one step, which takes {price:g} {self.unit}. Give more.")
        return steps

    def _fitted(self, cost: Cost, steps: int) -> int:
        """Steps near these that the FLOPs allow: stages begin at whole periods, so the mean over them is not exact."""
        while steps and cost.flops_after(steps, steps) > self.amount:
            steps -= 1
        while cost.flops_after(steps + 1, steps + 1) <= self.amount:
            steps += 1
        return steps


class BudgetSpent(Exception):
    """More real data were drawn than the budget allows."""


class Meter:
    """Counts the real data that are drawn.

    Args:
        allowed: how many may be; None for no limit.
    """

    def __init__(self, allowed: int | None) -> None:
        self.allowed, self.reals = allowed, 0

    def charge(self, n: int) -> None:
        """Takes note of n data. Raises BudgetSpent where they are too many: nothing is drawn then."""
        if self.allowed is not None and self.reals + n > self.allowed:
            raise BudgetSpent(f"{self.reals + n} real data were asked for and {self.allowed} are allowed")
        self.reals += n
