"""The metrics by name: every module of this folder that does not begin with an underscore."""

from dataclasses import fields

from ganbench.metrics._base import Metric
from ganbench.registry import Registry, unknown
from ganbench.results import Direction

METRICS: Registry[Metric] = Registry("metric", "ganbench.metrics", Metric)


def build(name: str, *, seed: int) -> Metric:
    """The metric of that name with its default parameters; `seed` goes to those that draw.

    Raises UsageError with the nearest name where there is none.
    """
    kind = METRICS.get(name)
    return kind(seed=seed) if any(field.name == "seed" for field in fields(kind)) else kind()  # type: ignore[call-arg]


def direction_of(key: str) -> Direction:
    """Whether lower or higher is better for a key of a result, such as `frechet_distance`.

    Raises UsageError with the nearest key where no metric yields it.
    """
    found = {k: direction for name in METRICS.names() for k, direction in METRICS.get(name).keys.items()}
    if key not in found:
        raise unknown("score", key, sorted(found))
    return found[key]
