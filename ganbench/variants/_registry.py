"""The variants by name: every module of this folder that does not begin with an underscore."""

from typing import TYPE_CHECKING

from ganbench.registry import Registry

if TYPE_CHECKING:
    from ganbench.variants._base import Variant

VARIANTS: "Registry[Variant]" = Registry("variant", "ganbench.variants", "ganbench.variants._base:Variant", dashes=True)
