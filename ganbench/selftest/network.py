"""The network on generated pictures and on digits: recorded features, back-ends that agree, and the same bits again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ganbench.errors import Unavailable
from ganbench.features.loading import Extractor, choose_backend, load_extractor
from ganbench.features.reference_search import resolve
from ganbench.features.references import Reference
from ganbench.features.registries import BACKENDS
from ganbench.images.source import ImageSource
from ganbench.progress import Progress
from ganbench.protocol import get_protocol
from ganbench.selftest.check import Check, Maker, said
from ganbench.selftest.draws import Pixels, digits, pictures
from ganbench.selftest.record import Record

PROTOCOL = "embedded"
# Largest difference over the root mean square. Between back-ends and processors float32 makes up to 5e-5. Inputs and
# weights rounded as TF32 does move the blocks by 4e-3 and more, single features by 2e-2; bfloat16, ten times as far.
TOLERANCE = 5e-4
BLOCKS = 20  # numbers that stand for the features of one picture at one head
_COMPARED = 24  # digits whose features are compared with the shipped ones
_LOAD = Maker(
    group="network",
    cure=(
        "This back-end cannot be used here. `ganbench doctor` lists what is installed; `pip install --force-reinstall` "
        "the package that is named, or use another: --backend torch."
    ),
)
_MAKE = Maker(
    group="network",
    cure=(
        "The network gives other features here than where ganbench was made. Check the weights (`ganbench weights "
        "verify`), update torch and the driver, and compare with --device cpu: if that passes, the device computes in "
        "lower precision or is faulty. Do not compare distances from here with those of other machines."
    ),
)
_REPEAT = Maker(
    group="network",
    cure=(
        "Features depend on what else is computed, so no number can be had twice. Use another back-end (--backend "
        "torch) or --device cpu; repeated differences on one device point to faulty memory or overclocking."
    ),
)


@dataclass(frozen=True)
class Loaded:
    """A back-end that is ready to run."""

    backend: str
    extractor: Extractor


def load_all(device: str, *, skip: Sequence[str], progress: Progress) -> tuple[list[Loaded], list[Check]]:
    """The back-ends that work on a device, the one that "auto" takes first; failed checks for those that do not."""
    first = choose_backend("auto", device)
    names = [name for name in BACKENDS.names() if name not in skip and BACKENDS.get(name).available(device) is None]
    loaded, failed = [], []
    for done, name in enumerate(sorted(names, key=lambda name: name != first)):
        progress("loading", done, len(names))
        try:
            extractor = load_extractor(get_protocol(PROTOCOL), device=device, backend=name, offline=True)
        except Exception as error:  # a broken installation may raise anything
            failed.append(_LOAD.near(f"{name}: can be loaded", None, 0.0, 0.0, error=said(error)))
        else:
            loaded.append(Loaded(name, extractor))
    progress("loading", len(names), len(names))
    return loaded, failed


def check_network(loaded: Sequence[Loaded], record: Record, *, progress: Progress) -> list[Check]:
    """The checks of each back-end, and of the first against the others."""
    found: list[Check] = []
    for done, each in enumerate(loaded):
        progress("network", done, len(loaded))
        found += _MAKE.guarded(f"{each.backend}: runs", partial(_of_backend, each, record))
        found += _MAKE.guarded(f"{each.backend}: agrees", partial(_agreement, loaded[0], each))
    progress("network", len(loaded), len(loaded))
    return found


def _of_backend(each: Loaded, record: Record) -> Iterator[Check]:
    images = pictures()
    features = each.extractor(images)
    for head, recorded in record.features.items():
        apart = relative(blocks(features[head]), np.array(recorded))
        yield _MAKE.near(f"{each.backend}: {head} of 8 pictures, difference from the record", apart, 0.0, TOLERANCE)
    yield _shipped(each)
    yield _repeats(each.extractor, each.backend, images, features)


def _shipped(each: Loaded) -> Check:
    """Features of digits against those that the shipped reference holds."""
    reference = shipped_reference(each.extractor)
    rows = reference.heads[each.extractor.protocol.head].values
    assert rows is not None
    positions = range(len(rows)) if reference.indices is None else reference.indices
    chosen = np.linspace(0, len(rows) - 1, _COMPARED).astype(int)
    source: ImageSource = digits("train")
    images = [image.pixels for image in source.images([int(positions[i]) for i in chosen])]
    apart = relative(each.extractor(images)[each.extractor.protocol.head], rows[chosen])
    name = f"{each.backend}: {_COMPARED} digits, difference from the shipped reference"
    return _MAKE.near(name, apart, 0.0, TOLERANCE)


def _repeats(
    extractor: Extractor, backend: str, images: list[Pixels], features: Mapping[str, NDArray[np.float32]]
) -> Check:
    again = extractor(images)
    turned = extractor(images[::-1])
    alone = [extractor([image]) for image in images]
    apart = max(
        float(np.abs(wanted - found).max())
        for head, wanted in features.items()
        for found in (again[head], turned[head][::-1], np.concatenate([one[head] for one in alone]))
    )
    return _REPEAT.near(
        f"{backend}: the same batch again, reversed, and one by one: largest difference", apart, 0.0, 0.0
    )


def _agreement(first: Loaded, other: Loaded) -> Iterator[Check]:
    if first is other:
        return
    images = pictures()
    one, two = first.extractor(images), other.extractor(images)
    apart = max(relative(two[head], one[head]) for head in one)
    yield _MAKE.near(f"{first.backend} and {other.backend}: difference on 8 pictures", apart, 0.0, TOLERANCE)


def blocks(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The means over BLOCKS equal parts of the features, (n, BLOCKS): every feature counts."""
    return np.stack([part.mean(axis=1) for part in np.array_split(features.astype(np.float64), BLOCKS, axis=1)], axis=1)


def relative(found: NDArray[np.floating], wanted: NDArray[np.floating]) -> float:
    """The largest difference over the root mean square of what was wanted."""
    return float(np.abs(found - wanted).max() / np.sqrt(np.mean(np.square(wanted, dtype=np.float64))))


def shipped_reference(extractor: Extractor) -> Reference:
    """The statistics of digits:train that come with ganbench. Raises GanbenchError where they are not there."""

    def absent(*_: object) -> Reference:
        raise Unavailable(
            "The statistics of digits:train, which come with ganbench, are not there: reinstall ganbench."
        )

    return resolve("digits", extractor.protocol, build=absent, offline=True)
