"""A small GAN on digits with Lightning, judged by ganbench after every epoch. Needs: pip install lightning torchmetrics

    python examples/lightning_training.py --epochs 5 --images 1000

The real digits come with scikit-learn, the reference with ganbench: nothing is downloaded.
"""

import argparse

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import interpolate, softplus
from torch.utils.data import DataLoader

from ganbench.integrations.torchmetrics import GenerativeMetrics

Z, BATCH = 32, 64


def as_images(x: torch.Tensor) -> torch.Tensor:
    """(n, 64) to (n, 1, 32, 32) in [-1, 1], enlarged as the digits of the reference are."""
    return interpolate(x.view(-1, 1, 8, 8), 32, mode="bicubic", antialias=True).clamp(-1, 1)


class Gan(lightning.LightningModule):
    """Two small networks, and the judge."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.G = nn.Sequential(
            nn.Linear(Z, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64), nn.Tanh()
        )
        self.D = nn.Sequential(
            nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
        )
        self.judge = GenerativeMetrics(real="digits", metrics=["fid", "kid"], value_range=(-1, 1))

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for each."""
        return [torch.optim.Adam(net.parameters(), 1e-3, betas=(0.5, 0.9)) for net in (self.G, self.D)]

    def training_step(self, real: torch.Tensor) -> None:
        """One step of both networks."""
        g_steps, d_steps = self.optimizers()
        fake = self.G(torch.randn(len(real), Z, device=self.device))
        d_loss = softplus(-self.D(real)).mean() + softplus(self.D(fake.detach())).mean()
        d_steps.zero_grad()
        self.manual_backward(d_loss)
        d_steps.step()
        g_loss = softplus(-self.D(fake)).mean()
        g_steps.zero_grad()
        self.manual_backward(g_loss)
        g_steps.step()

    def validation_step(self, z: torch.Tensor) -> None:
        """Generates a batch. With several devices each has its own part of the z, so no image comes twice."""
        self.judge.update(as_images(self.G(z)))

    def on_validation_epoch_end(self) -> None:
        """Over the images of all devices: torchmetrics joins them."""
        found = self.judge.compute()
        self.log_dict(found)
        self.judge.reset()
        fd, kd = found["frechet_distance"], found["kernel_distance"]
        self.print(f"epoch {self.current_epoch + 1}: FD {fd:.2f}, KD {kd:.4f}")


def main(epochs: int, images: int) -> None:
    """Trains, and prints two distances after every epoch."""
    torch.manual_seed(0)
    reals = torch.tensor(load_digits().data[::2], dtype=torch.float32) / 8 - 1  # the train split: every other digit
    z_fixed = torch.randn(images, Z)  # the same for every epoch: their numbers then differ by the model alone
    trainer = lightning.Trainer(
        max_epochs=epochs, num_sanity_val_steps=0, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.fit(Gan(), DataLoader(reals, BATCH, shuffle=True), DataLoader(z_fixed, BATCH))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--images", type=int, default=1000)
    main(**vars(parser.parse_args()))
