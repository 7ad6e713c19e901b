"""Reading files of weights: tensors only, no code is ever run, and every tensor must fit the network."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganbench.errors import BadInput

M = TypeVar("M", bound=nn.Module)
_COUNTER = "num_batches_tracked"  # of batch normalisation; only training reads it, and some files leave it out


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that `torch.save` wrote, by name, on the CPU, without the counters of training.

    Raises BadInput where the file is none, or holds anything but tensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on formats that are refused below
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is something else can make the reader raise anything
        raise BadInput(
            f"{path} cannot be read as a state-dict ({_first_line(error)}). Give a file that torch.save wrote and that "
            "holds tensors alone; files that carry code (TorchScript, pickled modules) are not read."
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise BadInput(f"{path} holds {type(found).__name__}; wanted a state-dict: tensors by name.")
    return {str(name): value for name, value in found.items() if not str(name).endswith(_COUNTER)}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def names_of(network: nn.Module) -> list[str]:
    """The names of the tensors that the network needs, in its order."""
    return [name for name in network.state_dict() if not name.endswith(_COUNTER)]


def load_into(network: M, state: Mapping[str, Tensor], path: Path) -> M:
    """Gives the tensors to a network, in float32, and returns it in eval mode and frozen.

    Args:
        network: may have been made on the "meta" device, where it costs nothing.
        state: from `read_state_dict`.
        path: names the file in errors.

    Raises:
        BadInput: a tensor is missing, is not the network's, or has another shape.
    """
    kind, wanted = type(network).__name__, network.state_dict()
    missing = [name for name in names_of(network) if name not in state]
    foreign = [name for name in state if name not in wanted]
    if missing or foreign:
        wrong = [_listed("it lacks", missing), _listed("it has the foreign", foreign)]
        raise BadInput(f"{path} is no state-dict of {kind}: {' and '.join(filter(None, wrong))}.")
    for name, value in state.items():
        dense = value.layout == torch.strided and value.is_floating_point()
        if not dense or value.shape != wanted[name].shape:
            raise BadInput(
                f"{path} is no state-dict of {kind}: {name} is {value.dtype} {tuple(value.shape)}, "
                f"wanted dense floats {tuple(wanted[name].shape)}."
            )
    counters = {name: torch.zeros((), dtype=torch.long) for name in wanted if name.endswith(_COUNTER)}
    plain = {name: value.detach().to(torch.float32).contiguous() for name, value in state.items()}
    network.load_state_dict({**plain, **counters}, assign=True)
    return network.requires_grad_(False).eval()


def _listed(verb: str, names: list[str]) -> str:
    if not names:
        return ""
    return f"{verb} {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
