"""Records how large the installed torch is, with all that it brings, in docs/records/install-size.json.

    python scripts/measure_install.py

The README's table is made from that record. Sizes are those of the installed files of torch, torchvision and the
packages that these two require, as the packages' own lists of files name them.
"""

import json
import platform
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RECORD = Path(__file__).resolve().parent.parent / "docs" / "records" / "install-size.json"


def closure(wanted: list[str]) -> dict[str, Distribution]:
    """The installed distributions that these requirements lead to, by normalised name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(each) for each in wanted]
    while waiting:
        asked = waiting.pop()
        name = canonicalize_name(asked.name)
        for extra in {"", *asked.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            found[name] = distribution(name)
            needs = [Requirement(each) for each in found[name].requires or []]
            waiting += [each for each in needs if each.marker is None or each.marker.evaluate({"extra": extra})]
    return found


def size(package: Distribution) -> int:
    """Bytes of the package's files that are there."""
    paths = [Path(str(package.locate_file(file))) for file in package.files or []]
    return sum(path.stat().st_size for path in paths if path.is_file())


def main() -> None:
    """Measures this environment and writes the record."""
    packages = closure(["torch", "torchvision"])
    record = {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "torch": packages["torch"].version,
        "torchvision": packages["torchvision"].version,
        "packages": len(packages),
        "bytes": sum(size(package) for package in packages.values()),
    }
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(RECORD.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
