"""One of the processes of test_split.py: `python split_worker.py RANK WORLD FOLDER` leaves FOLDER/RANK-of-WORLD.pt.

In float64, where what is left of rounding hides no mistake.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganbench.bench.budget import Meter
from ganbench.bench.conditions import Conditions
from ganbench.bench.data import Stream, TrainingSet
from ganbench.bench.group import average_gradients, digests, number_from_first, of_all
from ganbench.bench.lead import Lead, digest
from ganbench.errors import GanbenchError
from ganbench.nets._joint import joint
from ganbench.nets._ranks import Ranks
from ganbench.nets._registry import BACKBONES
from ganbench.records import DataInfo
from ganbench.variants._base import Problem, Variant
from ganbench.variants._classes import Classes
from ganbench.variants._draws import Draws
from ganbench.variants._given import CaptionedVariant, TranslatingVariant, UnpairedVariant
from ganbench.variants._registry import VARIANTS

STEPS, BATCH = 2, 6
POINTS = ("mlp2d", (2,))
IMAGES = ("info28-nano", (1, 8, 8))
OF_IMAGES = (  # batch norm in D, joined data, penalties, pairs, and in Q
    "ns-gan", "pacgan", "rpgan-r1r2", "vae", "wgan-gp", "infogan",
)  # fmt: skip


def cases_of(name: str) -> list[tuple[str, tuple[int, ...]]]:
    if VARIANTS.get(name).images_only:
        return [IMAGES]
    return [POINTS, IMAGES] if name in OF_IMAGES else [POINTS]


def condition_of(kind: type[Variant], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    if issubclass(kind, CaptionedVariant):
        return (5,)
    return shape if issubclass(kind, TranslatingVariant) else None


def problem(backbone: str, shape: tuple[int, ...], ranks: Ranks, condition: tuple[int, ...] | None) -> Problem:
    return Problem(
        shape=shape,
        backbone=BACKBONES.get(backbone),
        batch_size=BATCH // ranks.world,
        steps=STEPS,
        device=torch.device("cpu"),
        draws=Draws(1, "cpu", ranks),
        init=Draws(2, "cpu"),
        ranks=ranks,
        classes=Classes((0.5, 0.3, 0.2)),
        condition=condition,
    )


def data(shape: tuple[int, ...], condition: tuple[int, ...] | None, *, paired: bool) -> TrainingSet:
    values = torch.rand(40, *shape, generator=torch.Generator().manual_seed(5)) * 2 - 1
    info = DataInfo(name="x", split=None, fingerprint="", n=40, shape=list(shape), padded_to=list(shape))
    labels = torch.arange(40) % 3
    given = None
    if condition is not None:
        made_from = torch.rand(20, *condition, generator=torch.Generator().manual_seed(6)) * 2 - 1
        given = Conditions(made_from, torch.arange(40) % 20 if paired else None)
    return TrainingSet(info, values, labels, few=TrainingSet(info, values[:9], labels[:9]), given=given)


def trained(name: str, case: tuple[str, tuple[int, ...]], ranks: Ranks) -> tuple[Variant, dict[str, Any]]:
    """A variant after some steps, and what is compared of it."""
    backbone, shape = case
    kind = VARIANTS.get(name)
    settings = {"n_critic": 2} if "n_critic" in kind.Config.__dataclass_fields__ else {}
    condition = condition_of(kind, shape)
    variant = kind(kind.Config(**settings), problem(backbone, shape, ranks, condition))
    for optimiser in variant.optimisers().values():
        average_gradients(optimiser, ranks)
    meter = Meter(None)
    known = data(shape, condition, paired=not issubclass(kind, UnpairedVariant))
    stream = Stream(known, meter, seed=0, device=torch.device("cpu"), ranks=ranks)
    losses = [of_all(variant.step(stream), ranks) for _ in range(STEPS)]
    return variant, {
        "digest": digest(variant),
        "weights": {name: value.flatten()[::5].clone() for name, value in variant.state_dict().items()},
        "losses": {f"{name} {i}": value for i, each in enumerate(losses) for name, value in each.items()},
        "counts": (variant.fakes, meter.reals, stream.state()),
        "noise": variant.problem.draws.state(),
    }


def normed(ranks: Ranks, *, affine: bool, momentum: float | None) -> dict[str, Tensor]:
    """A batch norm over rows that are split: what comes out, first and second gradients, running statistics."""
    generator = torch.Generator().manual_seed(7)
    rows = (torch.randn(6, 3, 2, 2, generator=generator) * 3 + 1)[ranks.rows(6 // ranks.world)]
    weight = torch.randn(6, 3, 2, 2, generator=generator)[ranks.rows(6 // ranks.world)]
    net = joint(nn.Sequential(nn.BatchNorm2d(3, affine=affine, momentum=momentum)), ranks)
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.5, 2.0, generator=generator)
    x = rows.clone().requires_grad_(True)
    y = net(x)
    # Each rank's loss is the mean over its rows, that of all the mean of these: slopes are `world` times as large.
    (slope,) = torch.autograd.grad((y.square() * weight).mean() / ranks.world, x, create_graph=True)
    penalty = (slope * 100).square().sum(dim=(1, 2, 3)).mean()
    penalty.backward()
    ranks.average_([parameter.grad for parameter in net.parameters() if parameter.grad is not None])
    learnt = {f"gradient of {name}": parameter.grad for name, parameter in net.named_parameters()
              if parameter.grad is not None}  # fmt: skip
    assert x.grad is not None
    found = {**learnt, **dict(net.named_buffers())}
    net.eval()
    second = x.grad / ranks.world
    return {**found, "rows": y.detach(), "rows of slopes": slope.detach(), "rows of second slopes": second,
            "rows in eval mode": net(rows).detach()}  # fmt: skip


def drifted(variant: Variant, ranks: Ranks) -> str:
    """What the first rank says where another has other weights."""
    lead = Lead(ranks)
    if ranks.rank:
        next(variant.parameters()).data.add_(1e-9)
        number_from_first()
        digests(digest(variant), ranks)
        return ""
    try:
        lead.compare(variant)
    except GanbenchError as error:
        return str(error)
    return "nothing"


def gradients(ranks: Ranks) -> list[Tensor]:
    """Of several types and forms, and one that is None, averaged before a step."""
    parameters = [nn.Parameter(torch.zeros(2, 3, dtype=torch.float32)), nn.Parameter(torch.zeros(4, 2).t()),
                  nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(()))]  # fmt: skip
    optimiser = torch.optim.SGD(parameters, lr=1.0)
    average_gradients(optimiser, ranks)
    for i, parameter in enumerate(parameters):
        if i != 2:
            parameter.grad = torch.full_like(parameter, float(i + 10 * ranks.rank))
    optimiser.step()
    return [parameter.detach() for parameter in parameters]


@contextmanager
def group(rank: int, world: int, folder: Path) -> Iterator[Ranks]:
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    yield Ranks(rank, world)
    if world > 1:
        dist.destroy_process_group()


def main() -> None:
    rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with group(rank, world, folder) as ranks:
        for name in VARIANTS.names():
            for case in cases_of(name):
                variant, found[f"{name} {case[0]}"] = trained(name, case, ranks)
        for affine, momentum in ((True, 0.1), (False, None)):
            found[f"norm {affine}"] = normed(ranks, affine=affine, momentum=momentum)
        if world > 1:
            found["gradients"] = gradients(ranks)
            found["drifted"] = drifted(variant, ranks)
    torch.save(found, folder / f"{rank}-of-{world}.pt")


if __name__ == "__main__":
    main()
