"""FID of two folders by another package, with given weights: `python -m benchmarks.tasks.peers PACKAGE A B WEIGHTS`."""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path


def pytorch_fid(a: Path, b: Path, weights: Path) -> float:
    """As its command does, with the weights that it would download."""
    import torch
    from pytorch_fid import fid_score, inception

    inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights, weights_only=True)
    found = fid_score.calculate_fid_given_paths([str(a), str(b)], 50, torch.device("cpu"), 2048, num_workers=2)
    return float(found)


def torch_fidelity(a: Path, b: Path, weights: Path) -> float:
    """As its command does."""
    from torch_fidelity import calculate_metrics

    found = calculate_metrics(
        input1=str(a), input2=str(b), cuda=False, fid=True, verbose=False, cache=False, samples_find_deep=False,
        feature_extractor_weights_path=str(weights),
    )  # fmt: skip
    return float(found["frechet_inception_distance"])


def torchmetrics(a: Path, b: Path, weights: Path) -> float:
    """Its metric, fed by torchvision's reader in batches of 50."""
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchvision.io import read_image

    metric = FrechetInceptionDistance(feature=2048, feature_extractor_weights_path=str(weights))
    for folder, real in ((a, False), (b, True)):
        paths = sorted(folder.glob("*.png"))
        for at in range(0, len(paths), 50):
            metric.update(torch.stack([read_image(str(path)) for path in paths[at : at + 50]]), real=real)
    return float(metric.compute())


PACKAGES: dict[str, Callable[[Path, Path, Path], float]] = {
    "pytorch-fid": pytorch_fid,
    "torch-fidelity": torch_fidelity,
    "torchmetrics": torchmetrics,
}

if __name__ == "__main__":
    package, *paths = sys.argv[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        value = PACKAGES[package](*map(Path, paths))
    key = "fid" if package != "pytorch-fid" else "fid of its own resize"
    print(json.dumps({"values": {key: value}}))
