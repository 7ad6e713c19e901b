"""Where ganbench keeps things and where it looks for datasets."""

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """`$GANBENCH_HOME`, or the platform's cache folder. Holds weights, references, features and datasets."""
    chosen = os.environ.get("GANBENCH_HOME")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("ganbench", appauthor=False))


def data_folders() -> list[Path]:
    """Folders searched for datasets: `$GANBENCH_DATA` (separated as in PATH), our own store, the system's."""
    named = [Path(part).expanduser() for part in os.environ.get("GANBENCH_DATA", "").split(os.pathsep) if part]
    return [*named, home() / "datasets", Path("/usr/share/datasets")]


def shipped_references() -> Path:
    """The folder of the statistics that travel with ganbench: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).parent
    inside = package / "reference_stats"
    return inside if inside.is_dir() else package.parent / "reference_stats"
