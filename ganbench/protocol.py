"""A protocol: everything that makes two numbers comparable, and its fingerprint.

The bundled protocols are the TOML files of `ganbench/protocols/`.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ganbench.registry import Entry, unknown
from ganbench.serialize import canonical_sha256, from_toml

_FOLDER = Path(__file__).parent / "protocols"
# Fields that name or describe the protocol and change no number.
_DESCRIPTIVE = ("name", "summary", "labels")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How images become features.

    Attributes:
        name: as given to `--protocol`.
        summary: one line for lists.
        extractor: the network, by its name in `ganbench list extractors`.
        weights_sha256: sha256 of the file of weights.
        weights_verified: false where the user's own weights were allowed in.
        head: the head of the network whose features are compared.
        logits_head: the head whose softmax the Inception Score uses.
        resize: filter: `tf1-bilinear`, `bilinear` (half-pixel), `bilinear-antialias` or `bicubic-antialias`.
        size: side of the network's input, pixels.
        clamp: whether resized values are clamped to 0..255 (bicubic overshoots).
        quantiser: how float pixels become uint8 before anything else.
        shift, scale: the input of the network is (x - shift) / scale, x in 0..255.
        dtype: arithmetic of the network.
        ddof: the covariance divides by n - ddof.
        labels: the field's name of each distance under this protocol: FID is Inception's only.
    """

    name: str
    summary: str
    extractor: str
    weights_sha256: str
    weights_verified: bool = True
    head: str
    logits_head: str
    resize: str
    size: int
    clamp: bool
    quantiser: str = "round-half-up-uint8"
    shift: float
    scale: float
    dtype: str = "float32"
    ddof: int = 1
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """sha256 over all that changes numbers: equal fingerprints, comparable results."""
        return canonical_sha256({k: v for k, v in asdict(self).items() if k not in _DESCRIPTIVE})

    def with_weights(self, sha256: str) -> "Protocol":
        """This protocol run with other, unverified weights. Its fingerprint differs."""
        return self if sha256 == self.weights_sha256 else replace(self, weights_sha256=sha256, weights_verified=False)

    def record(self) -> dict[str, object]:
        """The protocol as a result's JSON shows it."""
        return {"name": self.name, "fingerprint": self.fingerprint} | {
            k: v for k, v in asdict(self).items() if k not in _DESCRIPTIVE
        }


def protocol_names() -> list[str]:
    """The names of the bundled protocols."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def get_protocol(name: str) -> Protocol:
    """The bundled protocol of that name. Raises UsageError with the nearest name where there is none."""
    if name not in protocol_names():
        raise unknown("protocol", name, protocol_names())
    return from_toml(Protocol, _FOLDER / f"{name}.toml")


def list_protocols() -> list[Entry]:
    """The bundled protocols with their summaries."""
    return [Entry(name, get_protocol(name).summary) for name in protocol_names()]
