"""Whether this machine computes right: known answers, the network, real images against real ones and against noise.

Everything comes with the installation; nothing is read from the network, from the user's store or from data folders.
`record.json` holds what the checks found where ganbench was made (`scripts/make_selftest_record.py`).
"""

from dataclasses import dataclass, field

from ganbench.progress import Progress, silent
from ganbench.selftest.check import Check
from ganbench.selftest.floors import Floor, measure_floors
from ganbench.selftest.known import known_answers
from ganbench.selftest.network import Loaded, check_network, load_all
from ganbench.selftest.record import Record, read_record
from ganbench.selftest.registry import every_metric

SLOW = ("compile",)  # a minute of compilation


@dataclass(frozen=True)
class Outcome:
    """What a self-test found.

    Attributes:
        checks: in the order of the work.
        floors: by key of a metric, what real images and what noise score.
        environment: what ran it.
    """

    checks: list[Check]
    floors: list[Floor] = field(default_factory=list)
    environment: dict[str, object] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def selftest(
    *, device: str = "auto", all_backends: bool = False, record: Record | None = None, progress: Progress = silent
) -> Outcome:
    """Runs all checks. A check that cannot be run, whatever it raises, has failed; the others go on.

    Args:
        device: what to test: "auto", "cpu", "cuda", "cuda:N", "mps".
        all_backends: also the back-ends that take a minute to start.
        record: what to compare with; None for what came with ganbench.
        progress: told of the steps.

    Raises:
        UsageError: there is no such device.
    """
    from ganbench.features.devices import choose

    chosen, record = choose(device), record or read_record()
    progress("known answers", 0, 1)
    checks = [*known_answers(), *every_metric(record)]
    progress("known answers", 1, 1)
    loaded, failed = load_all(chosen, skip=() if all_backends else SLOW, progress=progress)
    checks += [*failed, *check_network(loaded, record, progress=progress)]
    if not loaded:
        return Outcome(checks, environment=_environment(chosen, loaded))
    measured, floors = measure_floors(loaded[0], record, progress=progress)
    return Outcome([*checks, *measured], floors, _environment(chosen, loaded))


def _environment(device: str, loaded: list[Loaded]) -> dict[str, object]:
    import torch

    from ganbench.provenance import machine, versions

    return {
        "versions": versions(),
        **machine(),
        "device": device,
        "backends": [each.backend for each in loaded],
        "threads": torch.get_num_threads(),
    }


__all__ = ["SLOW", "Check", "Floor", "Outcome", "Record", "selftest"]
