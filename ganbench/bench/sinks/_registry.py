"""The sinks by name: every module of this folder that does not begin with an underscore."""

from ganbench.bench.sinks._base import Sink
from ganbench.registry import Registry

SINKS: Registry[Sink] = Registry("sink", "ganbench.bench.sinks", Sink)
