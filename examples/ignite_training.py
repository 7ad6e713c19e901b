"""A small GAN on digits with Ignite, judged by ganbench after every epoch. Needs: pip install pytorch-ignite

    python examples/ignite_training.py --epochs 5 --images 1000

The real digits come with scikit-learn, the reference with ganbench: nothing is downloaded.
"""

import argparse

import torch
from ignite.engine import Engine, Events
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import interpolate, softplus
from torch.utils.data import DataLoader

import ganbench

Z, BATCH = 32, 64

G = nn.Sequential(nn.Linear(Z, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64), nn.Tanh())
D = nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))
g_steps, d_steps = (torch.optim.Adam(net.parameters(), 1e-3, betas=(0.5, 0.9)) for net in (G, D))


def as_images(x: torch.Tensor) -> torch.Tensor:
    """(n, 64) to (n, 1, 32, 32) in [-1, 1], enlarged as the digits of the reference are."""
    return interpolate(x.view(-1, 1, 8, 8), 32, mode="bicubic", antialias=True).clamp(-1, 1)


def train(_: Engine, real: torch.Tensor) -> None:
    """One step of both networks."""
    fake = G(torch.randn(len(real), Z))
    d_loss = softplus(-D(real)).mean() + softplus(D(fake.detach())).mean()
    d_steps.zero_grad()
    d_loss.backward()
    d_steps.step()
    g_loss = softplus(-D(fake)).mean()
    g_steps.zero_grad()
    g_loss.backward()
    g_steps.step()


def main(epochs: int, images: int) -> None:
    """Trains, and prints two distances after every epoch."""
    torch.manual_seed(0)
    reals = torch.tensor(load_digits().data[::2], dtype=torch.float32) / 8 - 1  # the train split: every other digit
    z_fixed = torch.randn(images, Z)  # the same for every epoch: their numbers then differ by the model alone
    trainer = Engine(train)
    evaluator = ganbench.Evaluator(real="digits", metrics=["fid", "kid"], value_range=(-1, 1))

    @trainer.on(Events.EPOCH_COMPLETED)
    def judge(engine: Engine) -> None:
        evaluator.reset()
        with torch.no_grad():
            for z in z_fixed.split(BATCH):
                evaluator.update(as_images(G(z)))
        report = evaluator.compute()
        engine.state.metrics = {"FD": report["frechet_distance"].value, "KD": report["kernel_distance"].value}

    @trainer.on(Events.EPOCH_COMPLETED)
    def show(engine: Engine) -> None:
        print(f"epoch {engine.state.epoch}: FD {engine.state.metrics['FD']:.2f}, KD {engine.state.metrics['KD']:.4f}")

    trainer.run(DataLoader(reals, BATCH, shuffle=True), max_epochs=epochs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--images", type=int, default=1000)
    main(**vars(parser.parse_args()))
