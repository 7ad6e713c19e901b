"""What a reader should know before trusting the numbers: the warnings of a result."""

from collections.abc import Sequence
from dataclasses import dataclass

from ganbench.evaluation.protocols import is_own
from ganbench.features.extract import Extraction
from ganbench.features.references import Reference
from ganbench.protocol import Protocol


@dataclass(frozen=True)
class HeldOut:
    """Real images that are said to be kept from the generator.

    Attributes:
        reference: what is known of them.
        names: the metrics whose scores are by them.
    """

    reference: Reference
    names: Sequence[str]


def cautions(
    extraction: Extraction, reference: Reference, protocol: Protocol, *, d: int, held_out: HeldOut | None = None
) -> list[str]:
    """The warnings, most serious first.

    Args:
        extraction: the pass over the samples.
        reference: what they are compared with.
        protocol: how images become features.
        d: the width of the features; 0 where none of them is looked at.
        held_out: what some scores are by.
    """
    return [
        text
        for text in (
            _weights(protocol),
            _same(extraction, reference),
            _not_held_out(extraction, reference, held_out),
            _few(extraction, d),
            _few_reals(reference, d),
            _lossy(extraction, reference),
            _duplicates(extraction),
            _skipped(extraction),
        )
        if text
    ]


def _weights(protocol: Protocol) -> str:
    if protocol.weights_verified:
        return ""
    if is_own(protocol):
        return (
            f"The network is your own (sha256 {protocol.weights_sha256[:12]}...): the numbers compare only with others "
            "made with it."
        )
    return (
        f"The weights are not the published ones (sha256 {protocol.weights_sha256[:12]}...): the numbers compare "
        "only with others made with this very file."
    )


def _same(extraction: Extraction, reference: Reference) -> str:
    if extraction.fingerprint != reference.info.get("source_fingerprint"):
        return ""
    return "The samples are the very images of the reference: the numbers show the floor, not a model."


def _not_held_out(extraction: Extraction, reference: Reference, held_out: HeldOut | None) -> str:
    if held_out is None:
        return ""
    images = held_out.reference.info.get("source_fingerprint")
    if held_out.reference.fingerprint == reference.fingerprint or (
        images is not None and images == reference.info.get("source_fingerprint")
    ):
        of = "reference"
    elif images == extraction.fingerprint:
        of = "samples"
    else:
        return ""
    need, say = ("needs", "says") if len(held_out.names) == 1 else ("need", "say")
    return (
        f"The held-out images are the very images of the {of}: {', '.join(held_out.names)} {need} real images that "
        f"the model was not trained on, and {say} nothing here. Name some: --ref-test NAME:SPLIT|SOURCE"
    )


def _few(extraction: Extraction, d: int) -> str:
    if extraction.n >= d:
        return ""
    return (
        f"{extraction.n} samples are fewer than the {d} feature dimensions: the distance is far above what more "
        "samples would give, and the estimate of its bias is rough. Compare only with results at the same number."
    )


def _few_reals(reference: Reference, d: int) -> str:
    n = reference.n
    if n is None or n >= d:
        return ""
    return (
        f"The reference has {n} images, fewer than the {d} feature dimensions: every distance to it is inflated by "
        "the same unknown amount. Compare only with results against this very reference."
    )


def _lossy(extraction: Extraction, reference: Reference) -> str:
    lossy_reference = reference.info.get("lossy")
    if not extraction.lossy or lossy_reference is None or lossy_reference > 0:
        return ""
    return (
        f"{extraction.lossy} of {extraction.n} samples come from lossy files (JPEG or the like) and the reference "
        "does not: part of the distance is compression. Save samples as PNG."
    )


def _duplicates(extraction: Extraction) -> str:
    if not extraction.duplicates:
        return ""
    return (
        f"{extraction.duplicates} of {extraction.n} samples have exactly the pixels of an earlier one: "
        "the number of different samples is smaller than n says."
    )


def _skipped(extraction: Extraction) -> str:
    if not extraction.skipped:
        return ""
    return f"{len(extraction.skipped)} image(s) could not be read and were left out; the first: {extraction.skipped[0]}"
