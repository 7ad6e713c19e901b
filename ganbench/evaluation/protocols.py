"""The protocol of an evaluation, as the user or the reference names it."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from ganbench.evaluation.options import Options
from ganbench.protocol import Protocol, get_protocol, protocol_names

if TYPE_CHECKING:
    from ganbench.features.user_networks import CustomNetwork

Named = Union[str, Path, Protocol, "CustomNetwork"]


def chosen_protocol(options: Options, *, auto: str) -> Protocol:
    """The protocol that `options` name; where they leave it to the reference, `auto`.

    Raises:
        UsageError: no such protocol, or a program where no code was allowed.
        BadInput: a file that is no protocol and no network.
    """
    named = options.protocol
    if isinstance(named, str) and named == "auto":
        return get_protocol(auto)
    if isinstance(named, Protocol):
        return named
    if isinstance(named, str) and named in protocol_names():  # what needs no torch, which takes its time
        return get_protocol(named)
    from ganbench.features.user_networks import protocol_of

    return protocol_of(named, allow_code=options.allow_code)


def is_own(protocol: Protocol) -> bool:
    """Whether its network is the user's own."""
    return protocol.extractor.startswith("own-")
