"""The group of processes that `torchrun` started: joining it, and what its members say to each other."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from ganbench.errors import GanbenchError, UsageError
from ganbench.nets._ranks import ALONE, Ranks

# The others wait while the first one scores samples. Whose process dies is noticed at once, by its connection.
_PATIENCE = timedelta(days=7)
_TOLD_BY_TORCHRUN = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Within it this process is in the group that `torchrun` started; alone, and in no group, where it started none.

    Args:
        device: as `features.devices.choose` found it. Each process takes the GPU of its own number on its machine.

    Raises:
        UsageError: the device cannot be shared out, or the environment tells of half a group.
        GanbenchError: another of the processes has ended.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield ALONE
        return
    missing = [name for name in _TOLD_BY_TORCHRUN if name not in os.environ]
    if missing:
        raise UsageError(
            f"WORLD_SIZE is {world} in the environment, and {', '.join(missing)} is not there. Start the processes "
            f"with torchrun --nproc-per-node {world} -m ganbench ..., or unset WORLD_SIZE."
        )
    ranks = Ranks(int(os.environ["RANK"]), world, int(os.environ["LOCAL_RANK"]))
    kind = _shareable(device, ranks)
    if kind == "cuda":
        torch.cuda.set_device(ranks.local)
    with _silent_stdout():
        dist.init_process_group("cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield ranks
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise GanbenchError(
            f"Another of the {world} processes has ended, and what it said stands beside this. Mend that and run the "
            "same command with --resume: it goes on from the last checkpoint."
        ) from error
    finally:
        dist.destroy_process_group()


def _shareable(device: str, ranks: Ranks) -> str:
    kind, _, number = device.partition(":")
    if kind == "mps":
        raise UsageError("A run on several devices is for cpu and cuda; found --device mps. Say --device cpu.")
    if kind == "cuda" and number != "0":
        raise UsageError(
            f"--device {device} names one GPU for {ranks.world} processes; each takes the GPU of its own number. "
            "Say --device cuda, and CUDA_VISIBLE_DEVICES for which ones."
        )
    if kind == "cuda" and ranks.local >= torch.cuda.device_count():
        raise UsageError(
            f"There are {torch.cuda.device_count()} GPUs here for more processes. Give torchrun --nproc-per-node "
            f"{torch.cuda.device_count()}."
        )
    return kind


@contextmanager
def _silent_stdout() -> Iterator[None]:
    """Within it what is printed goes to stderr: in some versions of torch gloo tells on stdout that it is connected."""
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def device_of(device: str, ranks: Ranks) -> torch.device:
    """Where this process computes in a run on `device`."""
    if device.startswith("cuda") and not ranks.alone:
        return torch.device("cuda", ranks.local)
    return torch.device(device)


def average_gradients(optimiser: torch.optim.Optimizer, ranks: Ranks) -> None:
    """From now on each step of the optimiser is down the mean of the ranks' gradients."""
    if ranks.alone:
        return

    def average(optimiser: torch.optim.Optimizer, *_: object) -> None:
        learnt = (parameter for group in optimiser.param_groups for parameter in group["params"])
        ranks.average_([parameter.grad for parameter in learnt if parameter.grad is not None])

    optimiser.register_step_pre_hook(average)


def of_all(losses: Mapping[str, Tensor], ranks: Ranks) -> Mapping[str, Tensor]:
    """Losses as scalars over the batch of all ranks."""
    if ranks.alone or not losses:
        return losses
    means = ranks.mean(torch.stack([loss.detach().double() for loss in losses.values()]))
    return dict(zip(losses, means, strict=True))


def number_from_first(value: int = 0) -> int:
    """The number that the first rank gives; the others wait for it."""
    told = torch.tensor(value, dtype=torch.int64)
    dist.broadcast(told, src=0)
    return int(told)


def text_from_first(text: str = "") -> str:
    """The text that the first rank gives; the others wait for it."""
    data = text.encode()
    n = number_from_first(len(data))
    told = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(n, dtype=torch.uint8)
    dist.broadcast(told, src=0)
    return told.numpy().tobytes().decode()


def digests(mine: str, ranks: Ranks) -> list[str]:
    """The hexadecimal digests of all ranks, which are of one length."""
    told = torch.frombuffer(bytearray(mine.encode()), dtype=torch.uint8)
    found = [torch.empty_like(told) for _ in range(ranks.world)]
    dist.all_gather(found, told)
    return [each.numpy().tobytes().decode() for each in found]
