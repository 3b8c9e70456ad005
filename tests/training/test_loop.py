"""Shape letters: B minibatch, K classes."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_train.data.augment.mixing import Mixed
from cnn_train.data.batches import Batch, plan_epoch
from cnn_train.losses.cross_entropy import cross_entropy
from cnn_train.losses.hinge import HingeConfig, hinge
from cnn_train.losses.regularization import L2Config
from cnn_train.optim.sgd import SGDConfig
from cnn_train.training.loop import data_loss, measure, set_learning_rate, train_epoch


def zero_penalty() -> Tensor:
    return torch.zeros((), dtype=torch.float64)


def constant(step: int) -> float:
    return 1.0


def make_linear(num_features: int, num_classes: int) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(num_features, num_classes)).double()


def make_batches(num: int, batch_size: int, **plan: Any) -> list[Batch]:
    """Cut ``num`` random examples of 2×3 pixels and three classes into float64 minibatches."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(num, 1, 2, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (num,), generator=generator)
    return [
        Batch(images[p.start : p.stop], labels[p.start : p.stop], p.share, p.completes_update)
        for p in plan_epoch(num, batch_size, **plan)
    ]


def train(model: nn.Module, batches: list[Batch], **changes: Any) -> list[Any]:
    """Run the loop with plain SGD of rate 0.1, unless ``changes`` say otherwise."""
    parts: dict[str, Any] = {
        "forward": model,
        "loss_fn": cross_entropy,
        "penalty": zero_penalty,
        "optimizer": SGDConfig(lr=0.1, momentum=0).build(model),
        "schedule": constant,
        "batches": batches,
        "step": 0,
    }
    return list(train_epoch(**parts | changes))


def test_three_steps_follow_the_trajectory_computed_by_hand() -> None:
    """Two classes, one feature x, scores (u·x, v·x): dL/du = mean of (p₀ − [y=0])·x."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False)).double()
    u, v, lr = 0.3, -0.2, 0.5
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[u], [v]], dtype=torch.float64))
    examples = [[(1.0, 0), (-2.0, 1)], [(0.5, 1), (3.0, 0)], [(-1.0, 0), (1.5, 1)]]
    batches = []
    for pair in examples:
        pixels = torch.tensor([x for x, _ in pair], dtype=torch.float64).reshape(2, 1, 1, 1)
        batches.append(Batch(pixels, torch.tensor([y for _, y in pair])))
        slope = sum((1 / (1 + math.exp((v - u) * x)) - (y == 0)) * x for x, y in pair) / 2
        u, v = u - lr * slope, v + lr * slope
    train(model, batches, optimizer=SGDConfig(lr=lr, momentum=0).build(model))
    assert model[1].weight.flatten().tolist() == pytest.approx([u, v], abs=1e-12)


@pytest.mark.parametrize("loss_fn", [cross_entropy, hinge])
@pytest.mark.parametrize("batch_size", [2, 3, 5, 7])
def test_full_batch_descent_in_pieces_equals_one_step_on_all_examples(
    loss_fn: Callable[..., Tensor], batch_size: int
) -> None:
    pieced, whole = make_linear(6, 3), make_linear(6, 3)
    for model, batches in (
        (pieced, make_batches(11, batch_size, full_batch=True)),
        (whole, make_batches(11, 11)),
    ):
        penalty = L2Config(strength=0.1).build(model)
        tallies = train(model, batches, loss_fn=loss_fn, penalty=penalty)
        assert len(tallies) == len(batches)
    for found, expected in zip(pieced.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_images_is_torchs_for_targets_of_two_classes(smoothing: float) -> None:
    generator = torch.Generator().manual_seed(0)
    scores_BK = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    labels_B, second_B = torch.randint(3, (2, 6), generator=generator)
    share_B = torch.rand(6, generator=generator, dtype=torch.float64) / 2
    batch = Batch(torch.zeros(6, 1, 1, 1), labels_B, mixed=Mixed(second_B, share_B))
    own_BK, other_BK = (F.one_hot(labels, 3).double() for labels in (labels_B, second_B))
    targets_BK = (1 - share_B)[:, None] * own_BK + share_B[:, None] * other_BK
    found = data_loss(partial(cross_entropy, label_smoothing=smoothing), scores_BK, batch)
    expected = F.cross_entropy(scores_BK, targets_BK, label_smoothing=smoothing)
    torch.testing.assert_close(found, expected)


def test_a_share_of_a_second_class_moves_the_hinge_loss_in_a_straight_line() -> None:
    scores_BK = torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64)
    first, second = (hinge(scores_BK, torch.tensor([label])) for label in (0, 1))
    for share in (0.0, 0.2, 0.5):
        mixed = Mixed(torch.tensor([1]), torch.tensor([share], dtype=torch.float64))
        batch = Batch(torch.zeros(1, 1, 1, 1), torch.tensor([0]), mixed=mixed)
        expected = (1 - share) * first + share * second
        torch.testing.assert_close(data_loss(hinge, scores_BK, batch), expected)


def test_an_accuracy_counts_the_class_of_an_images_larger_part() -> None:
    (batch,) = make_batches(6, 6)
    mixed = Mixed((batch.labels_B + 1) % 3, torch.full((6,), 0.4, dtype=torch.float64))
    model = make_linear(6, 3)
    best_B = model(batch.images_BCHW).argmax(1)
    (tally,) = train(model, [replace(batch, mixed=mixed)])
    assert int(tally.num_correct) == (best_B == batch.labels_B).sum() > 0


@pytest.mark.parametrize(
    "loss_fn",
    [cross_entropy, hinge, HingeConfig(weights=(1, 5, 0.1)).build_weighted(torch.ones(3), "abc")],
)
@pytest.mark.parametrize(("batch_size", "accumulate"), [(2, 3), (3, 2), (1, 6), (5, 4)])
def test_accumulated_minibatches_make_the_updates_of_large_ones(
    loss_fn: Callable[..., Tensor], batch_size: int, accumulate: int
) -> None:
    """With momentum, λR and a schedule by updates; the last update has fewer images."""
    pieced, whole = make_linear(6, 3), make_linear(6, 3)
    for model, batches in (
        (pieced, make_batches(22, batch_size, accumulate=accumulate)),
        (whole, make_batches(22, batch_size * accumulate)),
    ):
        optimizer = SGDConfig(lr=0.1, momentum=0.9).build(model)
        penalty = L2Config(strength=0.1).build(model)
        parts = {"loss_fn": loss_fn, "penalty": penalty, "optimizer": optimizer}
        train(model, batches, schedule=lambda step: 1 / (1 + step), **parts)
    for found, expected in zip(pieced.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("full_batch", [False, True])
def test_regularisation_is_added_once_to_each_update(full_batch: bool) -> None:
    """With a data loss that has no slope, W ← W − η·2λW at every update."""
    model = make_linear(6, 3)
    before = model[1].weight.detach().clone()
    batches = make_batches(12, 4, full_batch=full_batch)
    train(
        model,
        batches,
        loss_fn=lambda scores_BK, labels_B: 0 * scores_BK.sum(),
        penalty=L2Config(strength=0.2).build(model),
    )
    num_updates = sum(batch.completes_update for batch in batches)
    expected = before * (1 - 0.1 * 2 * 0.2) ** num_updates
    torch.testing.assert_close(model[1].weight, expected, rtol=0, atol=1e-15)


def test_the_data_loss_and_the_regularisation_are_logged_apart() -> None:
    model = make_linear(6, 3)
    (batch,) = make_batches(8, 8)
    data_loss = cross_entropy(model(batch.images_BCHW), batch.labels_B).item()
    regularization = 0.2 * model[1].weight.square().sum().item()
    (tally,) = train(model, [batch], penalty=L2Config(strength=0.2).build(model))
    assert tally.loss == pytest.approx(data_loss, abs=1e-14)
    assert tally.penalty == pytest.approx(regularization, abs=1e-14)


def test_the_learning_rate_of_every_update_follows_the_schedule_from_the_given_step() -> None:
    model = make_linear(6, 3)
    optimizer = SGDConfig(lr=0.4, momentum=0).build(model)
    rates = [
        optimizer.param_groups[0]["lr"]
        for _ in train_epoch(
            model, cross_entropy, zero_penalty, optimizer, lambda step: 1 / step,
            make_batches(12, 4), step=5,
        )
    ]  # fmt: skip
    assert rates == pytest.approx([0.4 / 5, 0.4 / 6, 0.4 / 7], rel=1e-12)


def test_a_full_batch_counts_as_one_step_of_the_schedule() -> None:
    steps: list[int] = []
    train(
        make_linear(6, 3),
        make_batches(12, 4, full_batch=True) * 2,
        schedule=lambda step: float(steps.append(step) or 1),
    )
    assert steps == [0, 1]


def test_each_parameter_group_keeps_its_own_rate_under_a_schedule() -> None:
    weights = [nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))]
    groups = [
        {"params": [weight], "initial_lr": lr}
        for weight, lr in zip(weights, (0.1, 0.02), strict=True)
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    set_learning_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.01]


def test_the_tally_is_of_the_weights_before_the_update() -> None:
    model = make_linear(6, 3)
    batches = make_batches(8, 8)
    measured = measure(model, cross_entropy, batches)
    (tally,) = train(model, batches)
    assert tally.loss == measured.loss
    assert measure(model, cross_entropy, batches).loss < measured.loss


def test_measuring_changes_nothing_and_equals_the_whole_sets_mean() -> None:
    model = make_linear(6, 3)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    (whole,) = make_batches(11, 11)
    tally = measure(model, cross_entropy, make_batches(11, 4))
    expected = cross_entropy(model(whole.images_BCHW), whole.labels_B).item()
    assert tally.loss == pytest.approx(expected, abs=1e-14)
    assert tally.penalty == 0
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, old)
        assert parameter.grad is None
