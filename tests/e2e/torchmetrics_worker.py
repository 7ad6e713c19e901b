"""One of two processes that evaluate together: `python torchmetrics_worker.py RANK FOLDER`, from test_torchmetrics.py.

FOLDER holds images.npy; what this process finds goes to FOLDER/RANK.json.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from ganbench.integrations.torchmetrics import GenerativeMetrics

# Which images each of the two processes sees, in each of the cases.
CASES = {
    "apart": (slice(0, 17), slice(17, 40)),
    "all in one": (slice(0, 0), slice(0, 40)),
    "the same": (slice(0, 12), slice(0, 12)),
}


def main() -> None:
    """Goes through the cases with one metric."""
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    images = torch.from_numpy(np.load(folder / "images.npy"))
    metric = GenerativeMetrics(real="digits", metrics=["fid", "kid", "inception_score", "precision_recall"])
    found = {}
    for name, parts in CASES.items():
        mine = images[parts[rank]]
        for start in range(0, len(mine), 10):
            metric.update(mine[start : start + 10])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            values = {key: float(value) for key, value in metric.compute().items()}
        found[name] = {
            "values": values,
            "n": metric.report.result.samples.n,
            "fingerprint": metric.report.result.samples.fingerprint,
            "kept here": sum(len(each) for each in metric.digests),
            "warned": [str(each.message) for each in caught],
        }
        metric.reset()
    (folder / f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
