"""Pix2Pix, CycleGAN and their networks, against what the papers say."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss
from variant_cases import BATCH, COLOUR, GRAY, Reals, problem, trained, variant

from ganbench.errors import UsageError
from ganbench.nets import _skips
from ganbench.nets._history import History
from ganbench.nets._init import normal as normal_weights
from ganbench.nets._patchgan import PatchGan, layers_for, patch_side
from ganbench.nets._plain import replaced
from ganbench.nets._skips import SkipUNet
from ganbench.nets._translator import ResidualBlock, Translator
from ganbench.variants import cyclegan, pix2pix
from ganbench.variants.cyclegan import CycleGan
from ganbench.variants.pix2pix import Pix2Pix

N = 5


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, wanted: Tensor | float) -> None:
    torch.testing.assert_close(found, torch.as_tensor(wanted, dtype=found.dtype), rtol=1e-5, atol=1e-6)


def built(**how: object) -> Pix2Pix:
    made = variant("pix2pix", COLOUR, **how)
    assert isinstance(made, Pix2Pix)
    return made


def cycle(case: tuple[str, tuple[int, ...]] = COLOUR, **how: object) -> CycleGan:
    made = variant("cyclegan", case, **how)
    assert isinstance(made, CycleGan)
    return made


# ---------------------------------------------------------------- PatchGAN


@pytest.mark.parametrize(("layers", "side"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_a_logit_sees_a_patch(layers: int, side: int) -> None:
    """By the slopes of one logit, with ones for weights and without norms, which see the whole image."""
    assert patch_side(layers) == side
    D = PatchGan(1, width=2, layers=layers, affine=True)
    replaced(D, lambda child: nn.Identity() if isinstance(child, nn.GroupNorm) else None)
    for parameter in D.parameters():
        nn.init.constant_(parameter, 0.1 if parameter.dim() > 1 else 0.0)
    x = torch.ones(1, 1, 2 * side + 8, 2 * side + 8, requires_grad=True)
    logits = D(x)
    middle = logits.shape[2] // 2
    (slopes,) = torch.autograd.grad(logits[0, 0, middle, middle], x)
    assert int((slopes[0, 0].abs().sum(0) > 0).sum()) == side
    assert int((slopes[0, 0].abs().sum(1) > 0).sum()) == side


@pytest.mark.parametrize(("side", "layers"), [(8, 1), (28, 1), (32, 1), (64, 2), (128, 3), (256, 3)])
def test_patches_suit_the_image(side: int, layers: int) -> None:
    assert layers_for(side) == layers
    D = PatchGan(2, width=4, layers=layers, affine=False)
    found = D(normal(2, 2, side, side))
    assert found.shape[:2] == (2, 1)
    assert found.shape[2] == found.shape[3] >= 1


@pytest.mark.parametrize(("side", "asked", "most"), [(32, 4, 3), (8, 2, 1), (64, 5, 4), (28, -1, 3)])
def test_a_d_that_leaves_nothing_of_the_image_is_refused(side: int, asked: int, most: int) -> None:
    with pytest.raises(UsageError, match=f"{asked} layers of stride 2 on images of {side} pixels. Say 1 to {most}"):
        layers_for(side, asked)
    assert PatchGan(1, width=2, layers=layers_for(side, most), affine=False)(normal(1, 1, side, side)).numel() >= 1


def test_d_gives_logits() -> None:
    last = PatchGan(3, width=8, layers=1, affine=True).layers[-1]
    assert isinstance(last, nn.Conv2d), "nothing behind the last convolution"


# ---------------------------------------------------------------- the U-Net


@pytest.mark.parametrize(("side", "wanted"), [(28, [28, 14, 7, 4, 2, 1]), (32, [32, 16, 8, 4, 2, 1]), (64, None)])
def test_the_way_back_meets_the_same_sides(side: int, wanted: list[int] | None) -> None:
    assert _skips.sides(side) == (wanted or [64, 32, 16, 8, 4, 2, 1])
    G = SkipUNet(1, 3, side, width=4, dropout=True)
    found = G(normal(2, 1, side, side), normal(2, G.z_dim))
    assert found.shape == (2, 3, side, side)
    assert float(found.detach().abs().max()) <= 1


def test_dropout_is_in_the_three_innermost_layers_of_the_decoder() -> None:
    G = SkipUNet(1, 3, 64, width=4, dropout=True)
    assert G.dropped == [(32, 2, 2), (32, 4, 4), (16, 8, 8)]
    assert G.z_dim == 32 * (4 + 16) + 16 * 64
    assert SkipUNet(1, 3, 64, width=4, dropout=False).z_dim == 0


def test_a_code_is_the_dropout_in_eval_mode_too() -> None:
    G = SkipUNet(1, 3, 32, width=4, dropout=True).eval()
    x, z = normal(3, 1, 32, 32), normal(3, G.z_dim)
    with torch.no_grad():
        close(G(x, z), G(x, z * 7))  # its signs alone count
        assert not torch.allclose(G(x, z), G(x, -z))
        masks = G._masks(z)
    assert [tuple(mask.shape[1:]) for mask in masks] == G.dropped
    for mask in masks:
        assert set(mask.unique().tolist()) == {0.0, 2.0}
    kept = torch.cat([mask.flatten() for mask in masks]).mean()
    assert abs(float(kept) - 1) < 0.1, "half are kept, and doubled"


def test_the_encoder_has_no_dropout_and_a_single_pixel_no_norm() -> None:
    G = SkipUNet(1, 3, 32, width=4, dropout=True)
    assert not any(isinstance(module, nn.Dropout) for module in G.modules())
    assert isinstance(G.down[0], nn.Conv2d)
    assert isinstance(G.down[-1], nn.Conv2d)
    assert isinstance(G.up[-1], nn.ConvTranspose2d)
    assert all(isinstance(layer, nn.Sequential) for layer in list(G.down)[1:-1])


def test_the_norm_is_batch_norm_in_a_batch_of_one() -> None:
    x = 3 * normal(4, 6, 5, 5) + 1
    batch = nn.BatchNorm2d(6)
    close(_skips._norm(6)(x), torch.cat([batch(one[None]) for one in x]))


def test_every_layer_of_the_decoder_is_told_of_the_encoder() -> None:
    """With the innermost code fixed, the output still knows the image."""
    G = SkipUNet(1, 3, 32, width=4, dropout=False).eval()
    G.down[-1].register_forward_hook(lambda _, __, found: torch.zeros_like(found))
    with torch.no_grad():
        one, two = G(normal(2, 1, 32, 32), torch.zeros(2, 0))
    assert not torch.allclose(one, two)


# ---------------------------------------------------------------- Pix2Pix


def test_pix2pix_losses_by_hand() -> None:
    real, fake = 3 * normal(N, 1, 4, 4), 3 * normal(N, 1, 4, 4, seed=1)
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    wanted = binary_cross_entropy_with_logits(real, ones) + binary_cross_entropy_with_logits(fake, zeros)
    close(pix2pix.d_loss(real_logits=real, fake_logits=fake), wanted / 2)
    close(pix2pix.g_loss(fake_logits=fake), binary_cross_entropy_with_logits(fake, ones))
    close(pix2pix.d_loss(real_logits=zeros, fake_logits=zeros), math.log(2))
    x, made = normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=2)
    close(pix2pix.distance(wanted=x, made=made), float((x - made).abs().sum()) / 96)
    far = torch.full((2, 1, 3, 3), 1e4)
    assert pix2pix.d_loss(real_logits=-far, fake_logits=far).isfinite()


def test_d_sees_the_pair() -> None:
    made, x, y = built(), normal(N, *COLOUR[1]), normal(N, *COLOUR[1], seed=1)
    assert next(made.D.parameters()).shape[1] == 6
    logits = made.judged_as(y, x)
    assert logits.shape[:2] == (N, 1)
    assert logits.dim() == 4
    assert not torch.allclose(logits, made.judged_as(y.flip(0), x)), "another source, another verdict"
    close(logits, made.D(torch.cat([y, x], dim=1)))


def test_a_step_of_pix2pix_by_hand() -> None:
    made = built(lambda_l1=30.0)
    before = {name: value.clone() for name, value in made.D.state_dict().items()}
    stream, other = Reals(COLOUR[1]), built(lambda_l1=30.0)
    y, x = Reals(COLOUR[1]).draw_pairs(BATCH)
    with torch.no_grad():
        fake = other.generate_as(other.latent(BATCH), y)
        wanted = pix2pix.d_loss(real_logits=other.judged_as(y, x), fake_logits=other.judged_as(y, fake))
    losses = made.step(stream)
    close(losses["D"], wanted)
    assert stream.position == BATCH, "the update of G has the same pairs"
    with torch.no_grad():
        other.D.load_state_dict(made.D.state_dict())
        again = other.generate_as(other.latent(BATCH), y)
    far = pix2pix.distance(wanted=x, made=again)
    close(losses["l1"], far)
    close(losses["G"], pix2pix.g_loss(fake_logits=other.judged_as(y, again)) + 30 * far)
    assert any(not torch.equal(before[name], value) for name, value in made.D.state_dict().items())


def test_without_dropout_there_is_no_code() -> None:
    made = built(dropout=False).eval()
    assert made.z_dim == 0
    y = normal(2, *COLOUR[1])
    with torch.no_grad():
        close(made.generate_as(torch.zeros(2, 0), y), made.generate_as(torch.zeros(2, 0), y))


def test_it_learns_to_copy() -> None:
    class Same(Reals):
        def draw_pairs(self, n: int) -> tuple[Tensor, Tensor]:
            _, x = Reals.draw_pairs(self, n)
            return x, x

    made = built(width=16, d_width=8, lr_G=2e-3, dropout=False)
    stream = Same(COLOUR[1])
    first = float(made.step(stream)["l1"])
    trained(made, 150, stream)
    assert float(made.step(stream)["l1"]) < 0.5 * first


# ---------------------------------------------------------------- CycleGAN


def test_cyclegan_losses_by_hand() -> None:
    real, fake = normal(N, 1, 4, 4), normal(N, 1, 4, 4, seed=1)
    wanted = (mse_loss(real, torch.ones_like(real)) + mse_loss(fake, torch.zeros_like(fake))) / 2
    close(cyclegan.d_loss(real_logits=real, fake_logits=fake), wanted)
    close(cyclegan.g_loss(fake_logits=fake), mse_loss(fake, torch.ones_like(fake)))
    close(cyclegan.d_loss(real_logits=torch.ones(2, 1, 3, 3), fake_logits=torch.zeros(2, 1, 3, 3)), 0.0)


@pytest.mark.parametrize("identity", [0.0, 0.5])
def test_a_step_of_cyclegan_by_hand(identity: float) -> None:
    made, other = cycle(identity=identity), cycle(identity=identity)
    streams = Reals(COLOUR[1]), Reals(COLOUR[1])
    y, x = streams[1].draw_sources(BATCH), streams[1].draw(BATCH)
    losses = made.step(streams[0])
    assert streams[0].position == 2 * BATCH
    with torch.no_grad():
        x_hat, y_hat = other.G(y), other.F(x)
        of_X = cyclegan.d_loss(real_logits=other.D_X(x), fake_logits=other.D_X(x_hat))  # the pool is not full yet
        of_Y = cyclegan.d_loss(real_logits=other.D_Y(y), fake_logits=other.D_Y(y_hat))
        close(losses["D"], of_X + of_Y)
        fooled = cyclegan.g_loss(fake_logits=made.D_X(x_hat)) + cyclegan.g_loss(fake_logits=made.D_Y(y_hat))
        cycles = (other.F(x_hat) - y).abs().mean() + (other.G(y_hat) - x).abs().mean()
        same = (other.G(x) - x).abs().mean() + (other.F(y) - y).abs().mean()
    close(losses["cycle"], cycles)
    close(losses["G"], fooled + 10 * cycles + 10 * identity * same)
    assert ("identity" in losses) == bool(identity)


def test_the_identity_needs_as_many_channels() -> None:
    kind = CycleGan
    for identity in (0.5, 0.0):
        asked = problem(COLOUR, condition=(1, 8, 8))
        if identity:
            with pytest.raises(UsageError, match=r"1 and 3 channels.*--set identity=0"):
                kind(kind.Config(identity=identity), asked)
        else:
            made = kind(kind.Config(identity=identity), asked)
            assert made.G(normal(2, 1, 8, 8)).shape == (2, 3, 8, 8)
            assert made.F(normal(2, 3, 8, 8)).shape == (2, 1, 8, 8)


def test_sides_that_cannot_be_halved_twice_are_refused() -> None:
    with pytest.raises(UsageError, match=r"these have 30 pixels.*--backbone info28"):
        CycleGan(CycleGan.Config(), problem(("mlp", (3, 30, 30)), condition=(3, 30, 30)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [28, 32, 64])
def test_generators_keep_the_size_in_any_number_of_channels(channels: int, side: int) -> None:
    found = Translator(channels, 3, width=4, blocks=2)(normal(1, channels, side, side))
    assert found.shape == (1, 3, side, side)


def test_a_residual_block_leaves_its_input_as_it_is() -> None:
    x = normal(2, 4, 6, 6)
    kept = x.clone()
    ResidualBlock(4)(x)
    assert torch.equal(x, kept)


def test_both_ways_are_averaged_and_one_is_the_samples() -> None:
    made = cycle().eval()
    assert made.judged == ("G", "F")
    assert made.z_dim == 0
    y = normal(2, *COLOUR[1])
    with torch.no_grad():
        close(made.generate_as(torch.zeros(2, 0), y), made.G(y))
        close(made.back(y), made.F(y))


# ---------------------------------------------------------------- the pool


def pool(size: int = 4) -> History:
    return problem(COLOUR).built(lambda: History(size, (1, 1, 1)), normal_weights(0.02))


def numbered(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1)


def flat(x: Tensor) -> list[float]:
    return [float(value) for value in x.flatten()]


def test_a_pool_fills_first() -> None:
    made = pool()
    coins, order = torch.ones(2), torch.arange(4.0)
    assert flat(made.exchanged(numbered(1, 2), coins, order)) == [1, 2]
    assert flat(made.exchanged(numbered(3, 4), coins, order)) == [3, 4]
    assert flat(made.images) == [1, 2, 3, 4]


def test_then_half_of_the_images_are_exchanged() -> None:
    made = pool()
    made.exchanged(numbered(1, 2, 3, 4), torch.zeros(4), torch.arange(4.0))
    found = made.exchanged(numbered(5, 6), torch.tensor([0.9, 0.1]), torch.tensor([3.0, 0.0, 2.0, 1.0]))
    assert flat(found) == [2, 6], "place 1 comes first in the order, and gives its image"
    assert flat(made.images) == [1, 5, 3, 4]


def test_images_beyond_the_pool_come_back() -> None:
    made = pool(2)
    found = made.exchanged(numbered(1, 2, 3), torch.ones(3), torch.arange(2.0))
    assert flat(found) == [1, 2, 3]
    assert flat(made.exchanged(numbered(4, 5, 6), torch.ones(3), torch.arange(2.0))) == [1, 2, 6]


def test_the_pool_is_part_of_the_state() -> None:
    made = trained(cycle(pool=8), 3)
    fresh = cycle(pool=8, seed=3)
    fresh.restore(made.training_state())
    assert torch.equal(fresh.pool_X.images, made.pool_X.images)
    assert int(fresh.pool_X.seen) == 3 * BATCH
    assert float(made.pool_X.images.abs().sum()) > 0


def test_d_is_shown_images_of_before() -> None:
    made = cycle(pool=BATCH)
    stream = Reals(COLOUR[1])
    made.step(stream)
    kept = made.pool_X.images.clone()
    seen: list[Tensor] = []
    made.D_X.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach()))
    made.step(stream)
    shown = seen[1]
    old = [any(torch.equal(image, each) for each in kept) for image in shown]
    assert any(old)
    assert not all(old)


def test_gray_images_are_no_matter() -> None:
    made = trained(cycle(GRAY, width=4, d_width=4, blocks=1), 1)
    assert all(value.isfinite().all() for value in made.state_dict().values())
