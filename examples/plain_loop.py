"""A small GAN on digits in a plain loop, judged by ganbench after every epoch.

    python examples/plain_loop.py --epochs 5 --images 1000

The real digits come with scikit-learn, the reference with ganbench: nothing is downloaded.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import interpolate, softplus

import ganbench

Z, BATCH = 32, 64

G = nn.Sequential(nn.Linear(Z, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64), nn.Tanh())
D = nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))


def as_images(x: torch.Tensor) -> torch.Tensor:
    """(n, 64) to (n, 1, 32, 32) in [-1, 1], enlarged as the digits of the reference are."""
    return interpolate(x.view(-1, 1, 8, 8), 32, mode="bicubic", antialias=True).clamp(-1, 1)


def main(epochs: int, images: int) -> None:
    """Trains, and prints two distances after every epoch."""
    torch.manual_seed(0)
    reals = torch.tensor(load_digits().data[::2], dtype=torch.float32) / 8 - 1  # the train split: every other digit
    g_steps, d_steps = (torch.optim.Adam(net.parameters(), 1e-3, betas=(0.5, 0.9)) for net in (G, D))
    z_fixed = torch.randn(images, Z)  # the same for every epoch: their numbers then differ by the model alone
    evaluator = ganbench.Evaluator(real="digits", metrics=["fid", "kid"], value_range=(-1, 1))

    for epoch in range(1, epochs + 1):
        G.train()
        for real in reals[torch.randperm(len(reals))].split(BATCH):
            fake = G(torch.randn(len(real), Z))
            d_loss = softplus(-D(real)).mean() + softplus(D(fake.detach())).mean()
            d_steps.zero_grad()
            d_loss.backward()
            d_steps.step()
            g_loss = softplus(-D(fake)).mean()
            g_steps.zero_grad()
            g_loss.backward()
            g_steps.step()

        G.eval()
        evaluator.reset()
        with torch.no_grad():
            for z in z_fixed.split(BATCH):
                evaluator.update(as_images(G(z)))
        report = evaluator.compute()
        fd, kd = report["frechet_distance"], report["kernel_distance"]
        print(f"epoch {epoch}: FD {fd.value:.2f}, KD {kd.value:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--images", type=int, default=1000)
    main(**vars(parser.parse_args()))
