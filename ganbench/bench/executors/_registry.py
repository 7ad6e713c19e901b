"""The executors by name: every module of this folder that does not begin with an underscore."""

from ganbench.bench.executors._base import Executor
from ganbench.registry import Registry

EXECUTORS: Registry[Executor] = Registry("executor", "ganbench.bench.executors", Executor)
