"""ganbench: how good is this generative model, and can I trust the number?

The names below are loaded when first used, so that `import ganbench` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ganbench.api import Evaluator, evaluate, score
    from ganbench.errors import GanbenchError
    from ganbench.features.moments import Moments
    from ganbench.features.user_networks import CustomNetwork
    from ganbench.images.source import open_images
    from ganbench.latent import interpolation_smoothness, perceptual_path_length
    from ganbench.report import Report
    from ganbench.results import Score

_HOMES = {
    "evaluate": "ganbench.api",
    "score": "ganbench.api",
    "Evaluator": "ganbench.api",
    "CustomNetwork": "ganbench.features.user_networks",
    "open_images": "ganbench.images.source",
    "interpolation_smoothness": "ganbench.latent",
    "perceptual_path_length": "ganbench.latent",
    "Report": "ganbench.report",
    "Moments": "ganbench.features.moments",
    "Score": "ganbench.results",
    "GanbenchError": "ganbench.errors",
}

__all__ = [
    "CustomNetwork",
    "Evaluator",
    "GanbenchError",
    "Moments",
    "Report",
    "Score",
    "__version__",
    "evaluate",
    "interpolation_smoothness",
    "open_images",
    "perceptual_path_length",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ganbench' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
