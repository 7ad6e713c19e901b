"""What this machine can do, and what it lacks: the findings behind `ganbench doctor`."""

import shutil

from ganbench.features.devices import describe
from ganbench.features.reference_names import local
from ganbench.features.registries import BACKENDS, EXTRACTORS
from ganbench.features.store import FeatureStore, limit
from ganbench.features.weights import search
from ganbench.images.datasets._base import DATASETS
from ganbench.places import data_folders, home, shipped_references
from ganbench.provenance import machine, versions


def diagnose() -> dict[str, dict[str, str]]:
    """Findings by section, each a name and a line of text. Changes nothing and uses no network."""
    return {
        "machine": {key: str(value) for key, value in machine().items()},
        "versions": versions(),
        "devices": _devices(),
        "back-ends": _backends(),
        "weights": _weights(),
        "references": _references(),
        "datasets": _datasets(),
        "places": _places(),
    }


def _devices() -> dict[str, str]:
    found = {}
    for about in describe():
        rest = [
            f"{value:,} {key}" if isinstance(value, int) else value for key, value in about.items() if key != "device"
        ]
        found[str(about["device"])] = ", ".join(rest)
    return found


def _backends() -> dict[str, str]:
    return {name: BACKENDS.get(name).available("cpu") or "works on the CPU" for name in BACKENDS.names()}


def _weights() -> dict[str, str]:
    found = {}
    for name in EXTRACTORS.names():
        weights = EXTRACTORS.get(name).weights
        path = search(weights)
        found[weights.filename] = str(path) if path else f"absent; ways to get it: ganbench weights list ({name})"
    return found


def _references() -> dict[str, str]:
    found: dict[str, str] = {}
    damaged: list[str] = []
    for each in local(warn=damaged.append):
        name, split, protocol = each.record.name, each.record.split, each.record.protocol[0]
        images = "unknown number of" if each.record.n is None else f"{each.record.n:,}"
        # Shipped ones come first and are the ones used; a copy in the store must not hide them here.
        found.setdefault(f"{name}:{split} ({protocol})", f"{images} images, {each.path}")
    return found | {f"damaged {i}": message for i, message in enumerate(damaged, 1)}


def _datasets() -> dict[str, str]:
    rows = {}
    for name in DATASETS.names():
        kind = DATASETS.get(name)
        there = [split for split in kind.splits if kind.find(split) is not None]
        rows[name] = f"found: {', '.join(there)}" if there else "not found here"
    return rows


def _places() -> dict[str, str]:
    folder = home()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0
    return {
        "GANBENCH_HOME": f"{folder} ({size / 1e6:,.0f} MB used, {shutil.disk_usage(existing).free / 1e9:,.0f} GB free)",
        "datasets": ", ".join(str(path) for path in data_folders()),
        "shipped references": str(shipped_references()),
        "stored features": _stored_features(),
    }


def _stored_features() -> str:
    entries, size = FeatureStore().usage()
    most = f"{limit() / 1e6:,.0f} MB (GANBENCH_STORE_LIMIT)"
    return f"{entries} passes over images, {size / 1e6:,.0f} MB of at most {most}"
