"""The registries of this layer: networks and ways to run them."""

from ganbench.features.extractor import Backend, Network
from ganbench.registry import Registry

EXTRACTORS = Registry("extractor", "ganbench.features.extractors", Network)  # type: ignore[type-abstract]
BACKENDS = Registry("backend", "ganbench.features.backends", Backend)  # type: ignore[type-abstract]
