"""StackGAN against what the paper says: the losses, the two stages, and captions that are others."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, interpolate
from variant_cases import BATCH, COLOUR, TEXTS, Reals, problem, trained, variant

from ganbench.bench.cost import cost_of
from ganbench.errors import UsageError
from ganbench.nets._registry import BACKBONES
from ganbench.nets._stack import Conditioning, halvings
from ganbench.variants import stackgan
from ganbench.variants.stackgan import StackGan

N, STEPS = 5, 10  # steps: as `problem` has them


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, wanted: Tensor | float) -> None:
    torch.testing.assert_close(found, torch.as_tensor(wanted, dtype=found.dtype), rtol=1e-5, atol=1e-6)


def stack(**settings: object) -> StackGan:
    made = variant("stackgan", COLOUR, **settings)
    assert isinstance(made, StackGan)
    return made


def weights(module: torch.nn.Module) -> list[Tensor]:
    return [value.clone() for value in module.state_dict().values()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


# ---------------------------------------------------------------- losses


def test_losses_by_hand() -> None:
    real, fake, other = (3 * normal(N, 1, seed=seed) for seed in range(3))
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    bce = binary_cross_entropy_with_logits
    wanted = bce(real, ones) + 0.5 * (bce(fake, zeros) + bce(other, zeros))
    close(stackgan.d_loss(real_logits=real, fake_logits=fake, mismatched_logits=other), wanted)
    close(stackgan.g_loss(fake_logits=fake), bce(fake, ones))
    close(stackgan.d_loss(real_logits=zeros, fake_logits=zeros, mismatched_logits=zeros), 2 * math.log(2))


def test_kl_is_that_of_torch_and_a_mean() -> None:
    mu, log_sigma = normal(N, 7), 0.5 * normal(N, 7, seed=1)
    wanted = kl_divergence(Normal(mu, log_sigma.exp()), Normal(torch.zeros(N, 7), torch.ones(N, 7))).mean()
    close(stackgan.kl(mu=mu, log_sigma=log_sigma), wanted)
    close(stackgan.kl(mu=torch.zeros(2, 3), log_sigma=torch.zeros(2, 3)), 0.0)
    twice = stackgan.kl(mu=mu.repeat(2, 2), log_sigma=log_sigma.repeat(2, 2))
    close(twice, wanted)


def test_the_condition_is_drawn_around_a_mean() -> None:
    made = problem(COLOUR).built(lambda: Conditioning(4, 3))
    t, eps = normal(N, 4), normal(N, 3, seed=1)
    c, mu, log_sigma = made(t, eps)
    close(c, mu + log_sigma.exp() * eps)
    close(made(t, torch.zeros(N, 3))[0], mu)
    with torch.no_grad():
        made.told.weight.mul_(100)
        assert float(made(t, eps)[2].min()) < 0, "nothing keeps log sigma above 0"


# ---------------------------------------------------------------- stages


def test_stage_one_learns_in_the_first_half_and_stage_two_in_the_second() -> None:
    made, stream = stack(), Reals(COLOUR[1])
    G = made.stack
    one, two = ([G.told[0], G.first, made.D_1], [G.told[1], G.second, made.D_2])
    for step in range(STEPS):
        before = [[weights(module) for module in part] for part in (one, two)]
        made.step(stream)
        learnt, kept = (0, 1) if step < STEPS // 2 else (1, 0)
        for module, was in zip((one, two)[learnt], before[learnt], strict=True):
            assert not same(weights(module), was), f"step {step}"
        for module, was in zip((one, two)[kept], before[kept], strict=True):
            assert same(weights(module), was), f"step {step}: batch norm included"
        assert bool(G.both) == (step >= STEPS // 2)


def test_a_step_of_stage_one_by_hand() -> None:
    made, other, stream = stack(lambda_kl=3.0), stack(lambda_kl=3.0), Reals(COLOUR[1])
    x, t, wrong = Reals(COLOUR[1]).draw_captioned(BATCH)
    losses = made.step(stream)
    small = avg_pool2d(x, 2)
    with torch.no_grad():
        fake, _, _ = other.stack.small(other.latent(BATCH), t)
        wanted = stackgan.d_loss(
            real_logits=other.D_1(small, t), fake_logits=other.D_1(fake, t), mismatched_logits=other.D_1(small, wrong)
        )
        close(losses["D"], wanted)
        other.D_1.load_state_dict(made.D_1.state_dict())
        fake, mu, log_sigma = other.stack.small(other.latent(BATCH), t)
    close(losses["kl"], stackgan.kl(mu=mu, log_sigma=log_sigma))
    assert stream.position == BATCH


def test_a_step_of_stage_two_is_at_the_whole_size() -> None:
    made, stream = trained(stack(), STEPS // 2), Reals(COLOUR[1])
    assert isinstance(made, StackGan)
    seen: list[tuple[Tensor, Tensor]] = []
    made.D_2.register_forward_hook(lambda _, inputs, __: seen.append(inputs))
    made.step(stream)
    x, t, wrong = Reals(COLOUR[1]).draw_captioned(BATCH)
    (real, fake, mismatched, fooled) = seen
    assert torch.equal(real[0], x)
    assert torch.equal(real[1], t)
    assert torch.equal(mismatched[0], x)
    assert torch.equal(mismatched[1], wrong)
    assert torch.equal(fake[1], t)
    assert fooled[0].shape == x.shape
    assert not torch.equal(fake[0], fooled[0]), "fresh noise for G"


def test_before_stage_two_a_sample_is_an_enlarged_one() -> None:
    made = stack().eval()
    z, t = normal(N, made.z_dim), normal(N, TEXTS)
    with torch.no_grad():
        small, _, _ = made.stack.small(z, t)
        assert small.shape == (N, 3, 4, 4)
        close(made.generate_as(z, t), interpolate(small, scale_factor=2.0, mode="nearest"))
        made.stack.both.fill_(True)
        close(made.generate_as(z, t), made.stack.large(small, z, t)[0])


def test_weights_of_before_stage_two_make_samples_of_before() -> None:
    """The best point of a run may be one of its first half; whether stage II is used is kept with the weights."""
    assert "both" in dict(stack().stack.named_buffers())


def test_a_resumed_training_is_in_the_same_stage() -> None:
    made, fresh = trained(stack(), 7), stack(seed=5)
    assert isinstance(made, StackGan)
    fresh.restore(copy.deepcopy(made.training_state()))
    assert fresh.taken == 7
    for each in (made, fresh):
        trained(each, 1, Reals(COLOUR[1], 7 * BATCH))
    assert same(weights(made), weights(fresh))


def test_the_cost_of_a_step_is_the_mean_of_both_stages() -> None:
    def cost(steps: int) -> float:
        kind = StackGan
        found = cost_of(kind, kind.Config(), shape=(3, 32, 32), backbone=BACKBONES.get("info28"), batch_size=4,
                        condition=(9,))  # fmt: skip
        return found.flops / steps

    whole = cost(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StackGan, "period", 1)  # its one step is in the first half
        first = cost(1)
    assert first < whole < 20 * first


def test_a_budget_of_time_is_refused() -> None:
    asked = replace(problem(COLOUR, condition=(TEXTS,)), steps=None)
    with pytest.raises(UsageError, match="second half of its steps, and a budget of time"):
        StackGan(StackGan.Config(), asked)


def test_an_odd_side_is_refused() -> None:
    with pytest.raises(UsageError, match="these have 9 pixels"):
        StackGan(StackGan.Config(), problem((COLOUR[0], (3, 9, 9)), condition=(TEXTS,)))


@pytest.mark.parametrize(("side", "count"), [(4, 0), (14, 1), (16, 2), (28, 2), (32, 3), (64, 4)])
def test_sides_are_halved_to_four_or_an_odd_one(side: int, count: int) -> None:
    assert halvings(side) == count


# ---------------------------------------------------------------- text


def test_other_captions_are_other_pictures() -> None:
    made = trained(stack(), 2).eval()
    assert isinstance(made, StackGan)
    z, t = normal(N, made.z_dim), normal(N, TEXTS)
    with torch.no_grad():
        assert not torch.allclose(made.generate_as(z, t), made.generate_as(z, t.flip(0)))
        assert not torch.allclose(made.D_2(normal(N, 3, 8, 8), t), made.D_2(normal(N, 3, 8, 8), t.flip(0)))


def test_the_settings_name_what_reads_captions() -> None:
    assert StackGan.text(StackGan.Config()) == "words"
    assert StackGan.text(StackGan.Config(text="minilm")) == "minilm"
