"""The backbones by name: every module of this folder that does not begin with an underscore."""

from typing import TYPE_CHECKING

from ganbench.registry import Registry

if TYPE_CHECKING:
    from ganbench.nets._base import Backbone

BACKBONES: "Registry[Backbone]" = Registry("backbone", "ganbench.nets", "ganbench.nets._base:Backbone", dashes=True)
