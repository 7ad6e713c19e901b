"""The registries of this layer: networks and ways to run them. Listing them imports no torch."""

from typing import TYPE_CHECKING

from ganbench.registry import Registry

if TYPE_CHECKING:
    from ganbench.features.extractor import Backend, Network

EXTRACTORS: "Registry[Network]" = Registry(
    "extractor", "ganbench.features.extractors", "ganbench.features.extractor:Network"
)
BACKENDS: "Registry[Backend]" = Registry("backend", "ganbench.features.backends", "ganbench.features.extractor:Backend")
