"""What every network promises, under every back-end that runs on the CPU here."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ganbench.features.extractor import Network
from ganbench.features.loading import Extractor, load_extractor
from ganbench.features.registries import BACKENDS, EXTRACTORS
from ganbench.features.weights import search
from ganbench.protocol import Protocol, get_protocol, protocol_names

PROTOCOLS = {name: get_protocol(name) for name in protocol_names()}
BACKENDS_HERE = [name for name in BACKENDS.names() if name != "compile"]  # its minute of compilation is another test's

Make = Callable[[str, str], Extractor]


def protocol_of(extractor: str) -> Protocol:
    """One protocol that uses a network."""
    return next(protocol for protocol in PROTOCOLS.values() if protocol.extractor == extractor)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """An extractor by network and back-end: with its own weights where they are here, else with random ones.

    Networks that are a row of equal blocks have two of them here: it is the same code, and ViT-L takes minutes.
    """
    folder = tmp_path_factory.mktemp("weights")

    def weights(name: str, kind: type[Network]) -> Path:
        found = None if hasattr(kind, "depth") else search(kind.weights)
        if found is not None:
            return found
        if not (folder / name).exists():
            with torch.random.fork_rng():
                torch.manual_seed(0)
                torch.save(kind().state_dict(), folder / name)
        return folder / name

    @cache
    def made(name: str, backend: str) -> Extractor:
        if reason := BACKENDS.get(backend).available("cpu"):
            pytest.skip(reason)
        kind = EXTRACTORS.get(name)
        if hasattr(kind, "depth"):
            kind = type(kind.__name__, (kind,), {"depth": 2})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EXTRACTORS, "get", lambda asked: kind)
            return load_extractor(
                protocol_of(name), device="cpu", backend=backend, weights=weights(name, kind), allow_unverified=True
            )

    return made


def pictures() -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    sizes = [(32, 32), (64, 48), (32, 32), (300, 200), (8, 8)]
    return [generator.integers(0, 256, (3, h, w), dtype=np.uint8) for h, w in sizes]


@pytest.mark.parametrize("backend", BACKENDS_HERE)
@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_features_are_as_declared_and_each_images_own(make: Make, name: str, backend: str) -> None:
    extractor, images = make(name, backend), pictures()
    together = extractor(images)
    assert {head: (rows.shape, rows.dtype) for head, rows in together.items()} == {
        head: ((len(images), width), np.dtype(np.float32)) for head, width in EXTRACTORS.get(name).heads.items()
    }
    assert all(np.isfinite(rows).all() and rows.std(axis=0).max() > 0 for rows in together.values())
    assert all(np.array_equal(image, fresh) for image, fresh in zip(images, pictures(), strict=True))
    backwards, one = extractor(images[::-1]), extractor(images[1:2])
    for head, rows in together.items():
        np.testing.assert_array_equal(backwards[head][::-1], rows)
        np.testing.assert_array_equal(one[head][0], rows[1])


@pytest.mark.parametrize("backend", [name for name in BACKENDS_HERE if name != "torch"])
@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_backends_agree(make: Make, name: str, backend: str) -> None:
    """To 1e-4 of the largest feature: float32 sums in another order, through some fifty layers."""
    ours, plain = make(name, backend)(pictures()), make(name, "torch")(pictures())
    for head, rows in plain.items():
        np.testing.assert_allclose(ours[head], rows, atol=1e-4 * np.abs(rows).max(), rtol=0)


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_a_network_says_what_it_is(name: str) -> None:
    kind = EXTRACTORS.get(name)
    assert len(EXTRACTORS.summary(name)) > 20
    assert kind.__doc__
    weights = kind.weights
    assert len(bytes.fromhex(weights.sha256)) == 32
    assert weights.size > 0
    assert weights.licence
    assert bool(weights.package) == bool(weights.package_path)
    assert weights.urls or weights.package
    assert all(url.startswith("https://") for url in weights.urls)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_protocol_asks_for_what_its_network_has(name: str) -> None:
    protocol = PROTOCOLS[name]
    kind = EXTRACTORS.get(protocol.extractor)
    assert protocol.weights_sha256 == kind.weights.sha256
    assert {protocol.head, protocol.logits_head} - {""} <= set(kind.heads)
    assert protocol.head
