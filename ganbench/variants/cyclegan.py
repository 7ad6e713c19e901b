"""CycleGAN: translation learnt without pairs, since the way there and back must end where it began (Zhu et al. 2017).

G makes targets x of source images y, F sources of targets; D_X and D_Y give maps of logits of patches. With x and y
drawn apart from each other, x^ = G(y), y^ = F(x), and x', y' what D is shown of them, out of a pool of `pool` earlier
ones half of the time, and means over batch, places and channels:

    L_D = 1/2 (E (D_X(x) - 1)^2 + E D_X(x')^2) + 1/2 (E (D_Y(y) - 1)^2 + E D_Y(y')^2)
    L_G = E (D_X(x^) - 1)^2 + E (D_Y(y^) - 1)^2 + lambda_cycle (E |F(x^) - y| + E |G(y^) - x|)
          + lambda_cycle identity (E |G(x) - x| + E |F(y) - y|)

https://arxiv.org/abs/1703.10593. G and F have `blocks` residual blocks, reflected borders and norms over one channel of
one image; D's patches are of 16 pixels in each direction under 64 pixels, of 34 from there, of 70 from 128 (`layers` 1,
2, 3; 0 chooses). Samples have no noise: sample i is decided by its source image. Networks are its own, whatever the
backbone. Both domains have as many channels; where they have not, the identity loss must be off.

Departures from the paper: D's patches are smaller and images are not enlarged and cropped; D is updated before G, on
the same fakes; in a batch of several no two are exchanged with one place of the pool; a constant learning rate (it
falls to 0 over the second half there); the average of weights is judged. The paper names the domains the other way
round: its x are our sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ganbench.errors import UsageError
from ganbench.nets._base import Shape
from ganbench.nets._history import History
from ganbench.nets._init import normal
from ganbench.nets._patchgan import PatchGan, layers_for
from ganbench.nets._translator import Translator
from ganbench.variants._base import Problem, RealStream, adam, descend, frozen
from ganbench.variants._given import UnpairedVariant


def d_loss(*, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """1/2 (E (D(x) - 1)^2 + E D(x')^2), of maps of logits."""
    return 0.5 * ((real_logits - 1).square().mean() + fake_logits.square().mean())


def g_loss(*, fake_logits: Tensor) -> Tensor:
    """E (D(x^) - 1)^2."""
    return (fake_logits - 1).square().mean()


def distance(*, wanted: Tensor, made: Tensor) -> Tensor:
    """E |x - x~|, the cycle's and the identity's loss."""
    return (wanted - made).abs().mean()


class CycleGan(UnpairedVariant):
    """See the top of this file."""

    judged: ClassVar[tuple[str, ...]] = ("G", "F")
    splits: ClassVar[bool] = False  # the pool is one for the whole batch

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings; `width` and `d_width` are the channels of the outermost layers of G and F, and of D."""

        lr_G: float = 2e-4
        lr_D: float = 2e-4
        betas: tuple[float, float] = (0.5, 0.999)
        lambda_cycle: float = 10.0
        identity: float = 0.5
        pool: int = 50
        width: int = 64
        d_width: int = 64
        blocks: int = 6
        layers: int = 0

    def __init__(self, config: Config, problem: Problem) -> None:
        super().__init__(config, problem)
        x, y = problem.shape, self.source_shape
        if config.identity and x[0] != y[0]:
            raise UsageError(
                f"The identity loss compares source images with their translations, and these have {y[0]} and {x[0]} "
                "channels. Give images with as many, or say --set identity=0."
            )
        if x[1] % 4:
            raise UsageError(
                f"cyclegan halves the side of images twice, and these have {x[1]} pixels. Name a backbone that pads "
                "them to a multiple of 4, such as --backbone info28."
            )
        layers, weights = layers_for(x[1], config.layers), normal(0.02)

        def translator(cin: int, cout: int) -> Translator:
            return problem.built(lambda: Translator(cin, cout, width=config.width, blocks=config.blocks), weights)

        def discriminator(channels: int) -> PatchGan:
            return problem.built(lambda: PatchGan(channels, width=config.d_width, layers=layers, affine=False), weights)

        def pool(shape: Shape) -> History:
            return problem.built(lambda: History(config.pool, shape))

        self.G, self.F = translator(y[0], x[0]), translator(x[0], y[0])
        self.D_X, self.D_Y = discriminator(x[0]), discriminator(y[0])
        self.pool_X, self.pool_Y = pool(x), pool(y)
        self.opt_G = adam(nn.ModuleList([self.G, self.F]), config.lr_G, config.betas)
        self.opt_D = adam(nn.ModuleList([self.D_X, self.D_Y]), config.lr_D, config.betas)

    @property
    def z_dim(self) -> int:
        """None: the source image decides."""
        return 0

    def step(self, real: RealStream) -> Mapping[str, Tensor]:
        """One update of both D, then one of G and F."""
        n = self.problem.batch_size
        y, x = real.draw_sources(n), real.draw(n)
        x_hat, y_hat = self.G(y), self.F(x)
        self.fakes += 2 * n
        loss_D = self._update_D(x, y, x_hat.detach(), y_hat.detach())
        return {"D": loss_D, **self._update_G(x, y, x_hat, y_hat)}

    def _update_D(self, x: Tensor, y: Tensor, x_hat: Tensor, y_hat: Tensor) -> Tensor:
        shown_x, shown_y = self._exchanged(self.pool_X, x_hat), self._exchanged(self.pool_Y, y_hat)
        loss_X = d_loss(real_logits=self.D_X(x), fake_logits=self.D_X(shown_x))
        loss_Y = d_loss(real_logits=self.D_Y(y), fake_logits=self.D_Y(shown_y))
        return descend(self.opt_D, loss_X + loss_Y)

    def _exchanged(self, pool: History, made: Tensor) -> Tensor:
        draws = self.problem.draws
        return pool.exchanged(made, draws.uniform(len(made)), draws.uniform(pool.size))

    def _update_G(self, x: Tensor, y: Tensor, x_hat: Tensor, y_hat: Tensor) -> dict[str, Tensor]:
        """With what G and F made before D was updated, which did not change them."""
        with frozen(self.D_X), frozen(self.D_Y):
            fooled = g_loss(fake_logits=self.D_X(x_hat)) + g_loss(fake_logits=self.D_Y(y_hat))
            cycle = distance(wanted=y, made=self.F(x_hat)) + distance(wanted=x, made=self.G(y_hat))
            losses = {"cycle": cycle.detach()}
            loss = fooled + self.config.lambda_cycle * cycle
            if self.config.identity:
                same = distance(wanted=x, made=self.G(x)) + distance(wanted=y, made=self.F(y))
                losses["identity"] = same.detach()
                loss = loss + self.config.lambda_cycle * self.config.identity * same
            return {"G": descend(self.opt_G, loss), **losses}

    def generate_as(self, z: Tensor, y: Tensor) -> Tensor:  # noqa: ARG002 - there is no noise
        """G(y)."""
        found: Tensor = self.G(y)
        return found

    def back(self, x: Tensor) -> Tensor:
        """F(x)."""
        found: Tensor = self.F(x)
        return found
