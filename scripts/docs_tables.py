"""The tables of the documents, made from the registries, the protocols, the metrics and the shipped side-cars."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from scipy.stats import spearmanr
from variant_pages import variants

from ganbench.evaluation.options import DEFAULT_METRICS
from ganbench.features.published_stats import PUBLISHED
from ganbench.features.reference_files import Stored, stored_in
from ganbench.features.registries import EXTRACTORS
from ganbench.human.study import Settings, settings_of
from ganbench.images.datasets._base import DATASETS
from ganbench.metrics._base import Metric
from ganbench.metrics._registry import METRICS
from ganbench.places import shipped_references
from ganbench.protocol import get_protocol, protocol_names
from ganbench.techniques._registry import TECHNIQUES
from ganbench.variants._registry import VARIANTS

RECORDS = Path(__file__).resolve().parent.parent / "docs" / "records"
INSTALL_SIZE, PARITY = RECORDS / "install-size.json", RECORDS / "parity.json"
ARROWS = {"lower": "↓", "higher": "↑"}
HEADS = {
    "spatial": "spatial features",
    "classes": "the classifier's logits",
    "steps": "steps through latent space",
}
RESIZES = {
    "tf1-bilinear": "bilinear as in TensorFlow 1 (corners at 0, no antialiasing)",
    "bilinear": "bilinear, half-pixel centres, no antialiasing",
    "bilinear-antialias": "bilinear, half-pixel centres, antialiased",
    "bicubic-antialias": "bicubic (a = -0.5), antialiased, as in Pillow",
}
CROPS = {
    "none": ("", ""),
    "after": ("shorter side to ", ", then the centre"),
    "before": ("the centred square to ", ""),
}
ROUNDINGS = {"none": "", "pillow-uint8": ", rounded to 8 bits"}
_PAPER = re.compile(r'Paper: (?P<who>[^"]+), "(?P<title>[^"]+)",(?: [^,":]+,)? (?P<link>https://\S+?)[.,;]?(?:\s|$)')


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def protocols() -> str:
    """The protocols: network, resize, normalisation, name of the distance, fingerprint."""
    rows = []
    for name in protocol_names():
        p = get_protocol(name)
        network = EXTRACTORS.get(p.extractor)
        before, after = CROPS[p.crop]
        clamp = ROUNDINGS[p.rounding] or (", clamped to 0..255" if p.clamp else "")
        rows.append([
            f"`{name}`",
            f"`{p.extractor}`, `{p.head}` ({network.heads[p.head]})",
            f"{before}{p.size} px, {RESIZES[p.resize]}{clamp}{after}",
            f"(x - {_numbers(p.shift)}) / {_numbers(p.scale)}",
            ", ".join(p.labels[key] for key in ("cmmd", "frechet_distance") if key in p.labels),
            f"`{p.fingerprint[:12]}`",
        ])  # fmt: skip
    headings = ["protocol", "network, head (width)", "resize", "network input", "distance", "fingerprint"]
    return markdown(headings, rows)


def _numbers(value: float | tuple[float, ...]) -> str:
    """One number, or one for each channel."""
    return "[" + ", ".join(f"{x:g}" for x in value) + "]" if isinstance(value, tuple) else f"{value:g}"


def protocol_summaries() -> str:
    """The protocols by name and summary alone."""
    return markdown(["protocol", "what it is"], [[f"`{n}`", get_protocol(n).summary] for n in protocol_names()])


def metrics() -> str:
    """The metrics: keys with direction, what they need, parameters, oracles, how far from these, paper."""
    rows = []
    for name in METRICS.names():
        kind = METRICS.get(name)
        keys = ", ".join(f"`{key}` {ARROWS[way]}" for key, way in kind.keys.items())
        parameters = ", ".join(f"{key}={value}" for key, value in kind().params().items())
        default = "yes" if name in DEFAULT_METRICS else ""
        oracles, apart = parity(name)
        rows.append([f"`{name}`", keys, needs(kind), parameters or "none", default, oracles, apart, paper(kind)])
    headings = ["`--metrics`", "keys in a result", "needs", "parameters", "by default"]
    return markdown([*headings, "oracle", "measured difference", "paper"], rows)


def needs(kind: type[Metric]) -> str:
    """What a metric reads of the samples and of the reference, and what else it takes."""
    what = HEADS.get(kind.head, kind.head)
    fake, real = (
        {"moments": f"moments of {what}", "optional": "shares of the classes"}.get(need, what)
        for need in (kind.needs_fake, kind.needs_real)
    )
    both = f"{fake} of both" if fake == real else f"{fake} of the samples, {real} of the reference"
    alone = fake if kind.head == "steps" else f"{fake} of the samples"
    found = [f"{alone}; no reference" if kind.needs_real == "nothing" else both]
    if kind.labels_of:
        found.append(f"classes of {'both' if len(kind.labels_of) == 2 else kind.labels_of[0]}")
    if kind.needs_held_out:
        found.append("held-out reals")
    return "; ".join([*found, *([f"takes {kind.costs}"] if kind.costs else [])])


def parity(name: str) -> tuple[str, str]:
    """The oracles of a metric, and in the same order the largest relative difference from each, by the record.

    Raises ValueError where the record does not know the metric.
    """
    apart: dict[str, float] = {}
    for line in json.loads(PARITY.read_text(encoding="utf-8"))["comparisons"]:
        if line["metric"] == name:
            oracle = " ".join(filter(None, (line["oracle"], line["version"])))
            apart[oracle] = max(line["relative"], apart.get(oracle, 0.0))
    if not apart:
        raise ValueError(f"{PARITY} does not know {name}. Run: python scripts/measure_parity.py")
    return "; ".join(apart), "; ".join(f"{each:.1e}" if each else "0" for each in apart.values())


def paper(kind: type[Metric]) -> str:
    """The paper that the metric's docstring names, as a link. Raises ValueError where it names none."""
    text = " ".join((sys.modules[kind.__module__].__doc__ or "").split())
    found = _PAPER.search(text)
    if found is None:
        raise ValueError(f'{kind.__module__} names no paper as: Paper: AUTHORS YEAR, "TITLE", https://...')
    return f"[{found['who']}]({found['link']})"


def extractors() -> str:
    """The networks: heads, file of weights, licence."""
    rows = []
    for name in EXTRACTORS.names():
        kind = EXTRACTORS.get(name)
        heads = ", ".join(f"`{head}` {width}" for head, width in kind.heads.items())
        w = kind.weights
        rows.append([f"`{name}`", heads, f"`{w.filename}`", f"{w.size / 1e6:.1f} MB", f"`{w.sha256}`"])
    return markdown(["network", "heads and widths", "file of weights", "size", "sha256"], rows)


def datasets() -> str:
    """The datasets that have a name."""
    rows = [
        [f"`{name}`", f"[{kind.title}]({kind.homepage})", ", ".join(kind.splits), kind.licence]
        for name, kind in ((name, DATASETS.get(name)) for name in DATASETS.names())
    ]
    return markdown(["name", "dataset", "splits", "licence"], rows)


def references() -> str:
    """The statistics that travel with ganbench."""
    rows = []
    for stored in _shipped():
        record = stored.record
        most = max(record.heads.values(), key=lambda head: head.rows)
        features = f"{most.rows:,} ({most.dtype})" if most.rows else "none"
        rows.append([
            f"`{record.name}:{record.split}`",
            f"`{record.protocol[0]}`",
            f"{record.n:,}",
            features,
            f"{record.size / 1e6:.1f} MB",
            f"`{record.fingerprint[:12]}`",
        ])  # fmt: skip
    return markdown(["reference", "protocol", "images", "features kept", "file", "fingerprint"], rows)


def _shipped() -> list[Stored]:
    def refuse(message: str) -> None:
        raise ValueError(message)

    return stored_in(shipped_references(), warn=refuse)


def published() -> str:
    """The statistics that clean-fid publishes."""
    rows = []
    for entry in PUBLISHED:
        of = "unknown" if entry.n is None else f"{entry.n:,}"
        protocols = ", ".join(f"`{name}`" for name in entry.protocols)
        rows.append([f"`{entry.name}:{entry.split}`", of, f"{entry.resolution} px", protocols])
    return markdown(["reference", "images", "resolution", "protocols"], rows)


def departures() -> str:
    """Where each variant departs from its paper, as its docstring says. Raises ValueError where one says nothing."""
    return _departures("variant", {name: VARIANTS.get(name) for name in VARIANTS.names()})


def technique_departures() -> str:
    """The same of techniques."""
    return _departures("technique", {name: TECHNIQUES.get(name) for name in TECHNIQUES.names()})


def _departures(what: str, kinds: Mapping[str, type]) -> str:
    rows = []
    for name, kind in kinds.items():
        text = sys.modules[kind.__module__].__doc__ or ""
        title, colon, told = text.partition("Departures from the paper:")
        link = re.search(r"https://arxiv\.org/abs/[\d.]+\d", title)
        if not colon or link is None:
            raise ValueError(f"the docstring of {name} names no arXiv paper or no departures from it")
        said = " ".join(told.split("\n\n")[0].split())
        summary = " ".join(title.split("\n\n")[0].split()).partition(": ")[0]
        rows.append([f"`{name}`", f"[{summary}]({link[0]})", said[0].upper() + said[1:]])
    return markdown([what, "paper", "departures"], rows)


def licences() -> str:
    """What is shipped, installed or downloaded that is not ours, and under which licence."""
    rows = [
        [
            f"weights of `{name}`, `{w.filename}`",
            f"in the package `{w.package.replace('_', '-')}`" if w.package else "downloaded",
            w.licence,
        ]
        for name, w in ((name, EXTRACTORS.get(name).weights) for name in EXTRACTORS.names())
    ]
    for stored in _shipped():
        record = stored.record
        rows.append([f"statistics of `{record.name}:{record.split}`", "shipped", DATASETS.get(record.name).licence])
    return markdown(["what", "how it comes", "licence"], rows)


def install_size() -> str:
    """How large the torch that pip picked was, from the record of `measure_install.py`."""
    record = json.loads(INSTALL_SIZE.read_text(encoding="utf-8"))
    row = [
        f"torch {record['torch']} and torchvision {record['torchvision']}, with all that they require",
        str(record["packages"]),
        f"{record['bytes'] / 1e9:.1f} GB",
        f"{record['system']} {record['machine']}, Python {record['python']}",
    ]
    return markdown(["installed", "packages", "size", "on"], [row])


def human_settings() -> str:
    """The settings of a human study: what they are, and their values by protocol."""
    told = dict(re.findall(r"^ {8}(\w+(?:, \w+)*): (.+(?:\n {12}.+)*)", Settings.__doc__ or "", re.MULTILINE))
    of = [settings_of("infinity", "default", ()), settings_of("time", "default", ()), settings_of("time", "paper", ())]
    rows = []
    for names, words in told.items():
        for name in names.split(", "):
            values = [f"{getattr(each, name)}".lower() for each in of]
            rows.append([f"`{name}`", " ".join(words.split()), *values])
    return markdown(["setting", "what it is", "infinity", "time", "time, `--staircase paper`"], rows)


def shows_collapse() -> str:
    """How scores answer to a collapse, from the record of `make_shows.py`."""
    record = json.loads((RECORDS / "shows-collapse.json").read_text(encoding="utf-8"))
    keys = [key for key in record["rows"][0] if key not in ("what", "share")]
    rows = []
    for row in record["rows"]:
        what = row["what"] if row["share"] else "nothing"
        rows.append([f"{100 * row['share']:.3g} %", what, *(_three(row[key]) for key in keys)])
    return markdown(["share", "of", *(f"`{key}`" for key in keys)], rows)


def shows_critic() -> str:
    """The critic's loss against the distance, from the record of `make_shows.py`."""
    record = json.loads((RECORDS / "shows-critic.json").read_text(encoding="utf-8"))
    rows = []
    for variant, found in record["variants"].items():
        ends = [f"{_three(found[key][0])} to {_three(found[key][-1])}" for key in ("critic", "distance")]
        later = slice(len(found["steps"]) // 2, None)
        half = float(spearmanr(found["critic"][later], found["distance"][later]).statistic)
        settings = ", ".join(found["settings"])
        rows.append([f"`{variant}`", settings, *ends, f"{found['rank_correlation']:.2f}", f"{half:.2f}"])
    headings = ["variant", "settings", "critic, first to last point", "distance"]
    return markdown([*headings, "rank correlation", "of the second half"], rows)


def _three(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


TABLES: dict[str, Callable[[], str]] = {
    "protocols": protocols,
    "protocol-summaries": protocol_summaries,
    "metrics": metrics,
    "extractors": extractors,
    "datasets": datasets,
    "references": references,
    "published": published,
    "departures": departures,
    "technique-departures": technique_departures,
    "variants": variants,
    "licences": licences,
    "install-size": install_size,
    "human-settings": human_settings,
    "shows-collapse": shows_collapse,
    "shows-critic": shows_critic,
}
