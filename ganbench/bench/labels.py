"""The classes that images bring, as a training wants them: each of 0 to k - 1 at least once."""

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import BadInput
from ganbench.images.source import ImageSource


def labels_with_shares(source: ImageSource) -> tuple[NDArray[np.int64], list[float]]:
    """The class of each image, and the share of each class. Raises BadInput where there are none, or with gaps."""
    labels = source.labels
    if labels is None:
        raise BadInput(
            f"{source.name} does not say the classes of its images. Put a labels.csv (name,label) beside them, or "
            "`labels` into the .npz."
        )
    counts = np.bincount(labels)
    if len(counts) < 2 or not counts.all():
        raise BadInput(
            f"The labels of {source.name} name {int((counts > 0).sum())} of the classes 0 to {len(counts) - 1}; wanted "
            "each of two or more at least once. Number the classes without gaps."
        )
    return labels, [float(share) for share in counts / len(labels)]
