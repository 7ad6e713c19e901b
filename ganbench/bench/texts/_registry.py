"""What makes vectors of captions, by name: every module of this folder that does not begin with an underscore."""

from typing import TYPE_CHECKING

from ganbench.registry import Registry

if TYPE_CHECKING:
    from ganbench.bench.texts._base import Text

TEXTS: "Registry[Text]" = Registry("text", "ganbench.bench.texts", "ganbench.bench.texts._base:Text")
