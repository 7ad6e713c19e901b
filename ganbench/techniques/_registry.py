"""The techniques by name: every module of this folder that does not begin with an underscore."""

from typing import TYPE_CHECKING

from ganbench.registry import Registry

if TYPE_CHECKING:
    from ganbench.techniques._base import Technique

TECHNIQUES: "Registry[Technique]" = Registry(
    "technique", "ganbench.techniques", "ganbench.techniques._base:Technique", dashes=True
)
