"""Images a second of training: `python -m benchmarks.tasks.training ours|plain VARIANT STEPS`.

Both have the networks of the `dcgan` backbone, equal first weights and batches of 64 images of 32 pixels in colour.
`plain` is the loop that most repositories have: torch's own Adam as it comes, a DataLoader, fakes with a graph that the
update of D throws away, gradients of D's weights in the update of G, losses read after each update.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, autograd, nn
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, TensorDataset

from ganbench.bench.budget import Meter
from ganbench.bench.data import Stream, TrainingSet
from ganbench.nets._registry import BACKBONES
from ganbench.records import DataInfo
from ganbench.variants._base import Problem
from ganbench.variants._draws import Draws
from ganbench.variants._registry import VARIANTS

SHAPE, BATCH, N = (3, 32, 32), 64, 4096
CRITIC = {"dcgan": 1, "wgan-gp": 5}


def pixels() -> np.ndarray:
    """The data, uint8 (n, 3, 32, 32)."""
    return np.random.default_rng(0).integers(0, 256, (N, *SHAPE), dtype=np.uint8)


def problem() -> Problem:
    """The same networks for both."""
    return Problem(
        shape=SHAPE, backbone=BACKBONES.get("dcgan"), batch_size=BATCH, steps=None, device=torch.device("cpu"),
        draws=Draws(1, "cpu"), init=Draws(2, "cpu"),
    )  # fmt: skip


def ours(name: str) -> Callable[[], None]:
    """The variant, on the stream of a training."""
    kind = VARIANTS.get(name)
    variant = kind(kind.Config(), problem())
    info = DataInfo(name="noise", split=None, fingerprint="", n=N, shape=list(SHAPE), padded_to=list(SHAPE))
    stream = Stream(TrainingSet(info, torch.from_numpy(pixels())), Meter(None), seed=0, device=torch.device("cpu"))
    return lambda: _ignored(variant.step(stream))


def _ignored(_: object) -> None:
    return None


def plain(name: str) -> Callable[[], None]:
    """The usual loop."""
    given = problem()
    penalised = name == "wgan-gp"
    G, D = given.generator(), given.discriminator(norm="none" if penalised else "native")
    rates = {"lr": 1e-4 if penalised else 2e-4, "betas": (0.5, 0.9 if penalised else 0.999)}
    opt_G, opt_D = torch.optim.Adam(G.parameters(), **rates), torch.optim.Adam(D.parameters(), **rates)
    data = TensorDataset(torch.from_numpy(pixels()).float() / 127.5 - 1)
    batches = iter(DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True))

    def step() -> None:
        nonlocal batches
        for _ in range(CRITIC[name]):
            found = next(batches, None)
            if found is None:
                batches = iter(DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True))
                found = next(batches)
            (x,) = found
            opt_D.zero_grad()
            fake = G(torch.randn(BATCH, given.backbone.z_dim))
            loss = _critic(D, x, fake.detach()) if penalised else _logits(D(x), D(fake.detach()))
            loss.backward()
            opt_D.step()
            loss.item()
        opt_G.zero_grad()
        fake = G(torch.randn(BATCH, given.backbone.z_dim))
        loss = -D(fake).mean() if penalised else softplus(-D(fake)).mean()
        loss.backward()
        opt_G.step()
        loss.item()

    return step


def _logits(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(-real).mean() + softplus(fake).mean()


def _critic(D: nn.Module, x: Tensor, fake: Tensor) -> Tensor:
    eps = torch.rand(len(x), 1, 1, 1)
    between = (eps * x + (1 - eps) * fake).requires_grad_(True)
    (slope,) = autograd.grad(D(between).sum(), between, create_graph=True)
    penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
    return D(fake).mean() - D(x).mean() + 10 * penalty


if __name__ == "__main__":
    who, name, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    run = {"ours": ours, "plain": plain}[who](name)
    run()  # kernels are chosen at the first step
    started = time.perf_counter()
    for _ in range(steps):
        run()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "images_per_second": steps * CRITIC[name] * BATCH / seconds}))
