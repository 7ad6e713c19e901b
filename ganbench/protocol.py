"""A protocol: everything that makes two numbers comparable, and its fingerprint.

The bundled protocols are the TOML files of `ganbench/protocols/`.
"""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from ganbench.registry import Entry, unknown
from ganbench.serialize import canonical_sha256, from_toml

_FOLDER = Path(__file__).parent / "protocols"
# Fields that name or describe the protocol and change no number.
_DESCRIPTIVE = ("name", "summary", "labels")
# Fields that came later. Their default is what was done before they came, so it is left out: old fingerprints stay.
_LATER = ("crop", "rounding")


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
        logits_head: the head whose softmax the Inception Score uses; "" where the network has no classifier.
        resize: filter: `tf1-bilinear`, `bilinear` (half-pixel), `bilinear-antialias` or `bicubic-antialias`.
        size: side of the network's input, pixels.
        crop: what becomes of an image that is not square. `none`: both sides are resized to `size`; `after`: the
            shorter side is resized to `size`, then the centre is cut out, as torchvision's Resize and CenterCrop;
            `before`: the largest centred square is cut out, then resized.
        rounding: `none`: the resize computes in float32 and is not rounded; `pillow-uint8`: in Pillow's fixed-point
            arithmetic for 8-bit images, rounded after each of its two passes.
        clamp: whether resized values are clamped to 0..255 (bicubic overshoots).
        quantiser: how float pixels become uint8 before anything else.
        shift, scale: the input of the network is (x - shift) / scale, x in 0..255; one number, or one per channel.
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
    shift: float | tuple[float, float, float]
    scale: float | tuple[float, float, float]
    dtype: str = "float32"
    ddof: int = 1
    crop: str = "none"
    rounding: str = "none"
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """sha256 over all that changes numbers: equal fingerprints, comparable results."""
        return canonical_sha256(self._what_counts())

    def with_weights(self, sha256: str) -> "Protocol":
        """This protocol run with other, unverified weights. Its fingerprint differs."""
        return self if sha256 == self.weights_sha256 else replace(self, weights_sha256=sha256, weights_verified=False)

    def record(self) -> dict[str, object]:
        """The protocol as a result's JSON shows it."""
        return {"name": self.name, "fingerprint": self.fingerprint} | self._what_counts()

    def _what_counts(self) -> dict[str, object]:
        """The fields that change numbers; subclasses add none."""
        known = [f for f in fields(Protocol) if f.name not in _DESCRIPTIVE]
        return {
            f.name: list(value) if isinstance(value, tuple) else value
            for f, value in ((f, getattr(self, f.name)) for f in known)
            if f.name not in _LATER or value != f.default
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
