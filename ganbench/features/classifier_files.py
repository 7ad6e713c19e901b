"""Where the files of classifiers lie, and what they are: known without loading a network."""

from pathlib import Path

from ganbench.files import sha256_file
from ganbench.places import home

FOLDER = Path(__file__).parent.parent / "classifiers"
STACKED = {"stacked-fashion": "fashion-mnist", "stacked-mnist": "mnist"}  # three images as one, and of what


def classifier_file(dataset: str) -> Path | None:
    """The weights of a dataset's classifier: shipped, or in `$GANBENCH_HOME/classifiers`; None where there are none."""
    name = STACKED.get(dataset, dataset)
    places = (folder / f"{name}.safetensors" for folder in (FOLDER, home() / "classifiers"))
    return next((path for path in places if path.is_file()), None)


def classifier_identity(dataset: str) -> str | None:
    """What decides the answers of a dataset's classifier: its name and the sha256 of its weights."""
    path = classifier_file(dataset)
    return None if path is None else f"{dataset} {sha256_file(path)}"


def way_to_classifier(dataset: str) -> str:
    """How a dataset without a classifier comes to one, as the end of a message."""
    if STACKED.get(dataset, dataset) == "mnist":
        return (
            f"{dataset} needs a classifier of mnist, which is not shipped. Where MNIST's images are at hand, train it "
            f"with the repository's script: python scripts/train_classifiers.py mnist --out {home() / 'classifiers'}"
        )
    return f"There is no classifier for {dataset}; there are those for {', '.join(shipped_classifiers())}."


def shipped_classifiers() -> list[str]:
    """The datasets whose classifiers travel with ganbench."""
    found = {path.stem for path in FOLDER.glob("*.safetensors")}
    return sorted(found | {stacked for stacked, base in STACKED.items() if base in found})
