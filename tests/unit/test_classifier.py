"""The classifier without a generator, and how often variants that classify are wrong about held-out images."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from variant_cases import FEW, GRAY, POINTS, Reals, trained, variant

from ganbench.bench import classification
from ganbench.bench.build import Built, build
from ganbench.bench.classification import error_on_test
from ganbench.bench.plan import plan_run
from ganbench.bench.train import train
from ganbench.errors import Unavailable
from ganbench.variants.classifier import Shelf, Supervised
from ganbench.variants.sgan import SGan


def made(**settings: Any) -> Supervised:
    found = variant("classifier", GRAY, **settings)
    assert isinstance(found, Supervised)
    return found


# ---------------------------------------------------------------- the variant


def test_a_step_is_cross_entropy_on_known_data() -> None:
    found, twin = made(), made()
    x, y = Reals((1, 28, 28)).draw_few(6)
    wanted = cross_entropy(twin.D(x), y)
    losses = found.step(Reals((1, 28, 28)))
    torch.testing.assert_close(losses["class"], wanted.detach())
    optimiser = torch.optim.Adam(twin.D.parameters(), lr=3e-4, betas=(0.5, 0.999), eps=1e-8)
    wanted.backward()
    optimiser.step()
    for mine, theirs in zip(found.D.parameters(), twin.D.parameters(), strict=True):
        assert theirs.grad is not None
        told = theirs.grad.abs() > 1e-6
        torch.testing.assert_close(mine[told], theirs[told], rtol=1e-4, atol=1e-6)
    assert found.fakes == 0


def test_its_network_is_that_of_sgan_and_its_settings_too() -> None:
    found, other = made(), variant("sgan", GRAY)
    assert isinstance(other, SGan)
    assert [tuple(p.shape) for p in found.D.parameters()] == [tuple(p.shape) for p in other.D.parameters()]
    mine, theirs = found.config, other.config
    assert (mine.lr, mine.betas, mine.labels, mine.d_norm) == (theirs.lr_D, theirs.betas, theirs.labels, theirs.d_norm)
    assert Supervised.known(Supervised.Config(labels=40)) == SGan.known(SGan.Config(labels=40)) == 40


@pytest.mark.parametrize("case", [POINTS, GRAY])
def test_its_samples_are_the_known_data_each_as_likely(case: Any) -> None:
    found = variant("classifier", case, labels=FEW)
    trained(found, 6)  # four rounds
    known = Reals(case[1]).draw_few(FEW)[0]
    found.eval()
    with torch.no_grad():
        samples = found.generate(torch.randn(900, 1, generator=torch.Generator().manual_seed(1)))
    which = [[i for i, datum in enumerate(known) if torch.equal(datum, sample)] for sample in samples]
    assert all(len(rows) == 1 for rows in which)
    counts = torch.bincount(torch.tensor([rows[0] for rows in which]), minlength=FEW)
    assert int(counts.min()) > 60
    assert int(counts.max()) < 140


def test_the_oldest_make_room() -> None:
    shelf = Shelf(4, variant("classifier", POINTS).problem)
    for at in (0, 3):
        shelf.take_in(torch.arange(at, at + 3).float()[:, None].expand(3, 2))
    assert shelf.values[:, 0].tolist() == [4.0, 5.0, 2.0, 3.0]
    assert shelf(torch.tensor([0.0, 0.3, 0.74, 0.999]))[:, 1].tolist() == [4.0, 5.0, 2.0, 3.0]


# ---------------------------------------------------------------- the measure


def built(name: str, data: str = "digits") -> Built:
    settings = ["labels=20"] if name in ("sgan", "classifier") else []
    return build(plan_run(name, data=data, budget="3steps", backbone="info28-nano", batch_size=10, settings=settings,
                          judged=0))  # fmt: skip


@pytest.mark.parametrize("name", ["sgan", "classifier"])
def test_the_error_is_the_share_of_wrong_classes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = built(name)
    D: Any = run.variant.D
    seen: list[Tensor] = []
    D.register_forward_hook(lambda _, __, out: seen.append(out.argmax(1)))
    found = error_on_test(run)
    assert found is not None
    truth = classification.open_data("digits:test", run.variant.problem.backbone.fitted, labelled=True).labels
    assert truth is not None
    wrong = int((torch.cat(seen) != truth).sum())
    assert (found.n_real, found.direction, found.label) == (898, "lower", "Test error")
    assert found.value == wrong / 898
    assert found.params == {"images": "digits:test", "labels": 20}
    assert found.ci95 is not None
    assert found.ci95[0] < found.value < found.ci95[1]
    assert D.training, "as it was before"
    monkeypatch.setattr(classification, "_BATCH", 77)
    again = error_on_test(run)
    assert again is not None
    assert again.value == pytest.approx(found.value, abs=2.1 / 898)


def test_a_perfect_classifier_is_never_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    run = built("classifier")
    data = classification.open_data("digits:test", run.variant.problem.backbone.fitted, labelled=True)
    assert data.labels is not None
    logits = torch.eye(10)[data.labels].split(250)
    parts = iter(logits)
    monkeypatch.setattr(run.variant, "classify", lambda x: next(parts))
    found = error_on_test(run)
    assert found is not None
    assert found.value == 0
    assert found.ci95 is not None
    assert found.ci95 == pytest.approx((0, 3.8415 / (898 + 3.8415)), abs=1e-6), "Wilson's"


def test_who_does_not_classify_has_none() -> None:
    assert error_on_test(built("ns-gan")) is None


def test_a_split_that_cannot_be_had_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    run = built("classifier")

    def nowhere(*_: Any, **__: Any) -> Any:
        raise Unavailable("not here")

    monkeypatch.setattr(classification, "open_data", nowhere)
    found = error_on_test(run)
    assert found is not None
    assert (found.value, found.reason) == (None, "not here")


def test_it_stands_in_the_record_of_averaged_weights(tmp_path: Path) -> None:
    spec = plan_run("classifier", data="digits", budget="12steps", backbone="info28-nano", batch_size=20,
                    settings=["labels=100"], judged=20)  # fmt: skip
    record = train(spec, tmp_path / "run")
    assert record.final is not None
    found = record.final.metrics["test_error"]
    assert found.n_real == 898
    assert found.value is not None
    assert found.value < 0.8, "it has learnt something"
    assert "test_error" not in (record.raw.metrics if record.raw else {})
