"""What makes vectors of captions, by name: every module of this folder that does not begin with an underscore."""

from ganbench.bench.texts._base import Text
from ganbench.registry import Registry

TEXTS: Registry[Text] = Registry("text", "ganbench.bench.texts", Text)
