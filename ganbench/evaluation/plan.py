"""What an evaluation would do, without doing it: `ganbench eval --dry-run`."""

from pathlib import Path
from typing import Any

from ganbench.evaluation.options import Options
from ganbench.evaluation.points import is_distribution, plan_points
from ganbench.evaluation.real import find_real
from ganbench.evaluation.samples import positions
from ganbench.features.devices import choose
from ganbench.images.source import open_images
from ganbench.metrics._registry import build


def plan(samples: str | Path, real: str | Path, *, options: Options) -> dict[str, Any]:
    """The resolved plan. Opens samples and reference, so their errors show; loads no network, computes nothing.

    Raises UsageError as the evaluation itself would.
    """
    if is_distribution(real):
        return plan_points(samples, str(real), options=options)
    source = open_images(samples, value_range=options.value_range)
    found = find_real(real, options)
    return {
        "samples": {"source": source.name, "images": len(source), "used": len(positions(source, options))},
        "reference": found.how,
        "protocol": found.protocol.record(),
        "metrics": {name: build(name, seed=options.seed).params() for name in options.metrics},
        "device": choose(options.device),
        "backend": options.backend,
        "seed": options.seed,
        "labels": str(options.labels) if options.labels else None,
        "ref_test": str(options.ref_test) if options.ref_test else None,
        "cache": options.cache,
        "offline": options.offline,
    }
