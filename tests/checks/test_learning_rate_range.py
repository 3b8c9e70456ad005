import math
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from cnn_train.checks.learning_rate_range import (
    RateRange,
    find_rate_range,
    has_diverged,
    moving_mean,
)
from cnn_train.errors import DivergedError, UsageError
from cnn_train.losses.loss import LossFn
from cnn_train.training.session import Session
from cnn_train.training.steps import endless_steps

Start = Callable[..., Session]
OPTIMIZERS = [
    {"name": "sgd", "lr": 0.05},
    {"name": "adamw", "lr": 0.003},
    {"name": "muon", "lr": 0.2, "sgd_lr": 0.1},
    {"name": "gd", "lr": 0.05},
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda settings: settings["name"])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_rates_grow_by_one_factor_and_are_those_of_the_updates(
    start: Start, optimizer: dict[str, object], schedule: str
) -> None:
    session = start(optimizer=optimizer, schedule={"name": schedule})
    used: list[list[float]] = []
    first = [group["initial_lr"] for group in session.optimizer.param_groups]
    session.optimizer.register_step_pre_hook(
        lambda optimizer, *_: used.append([group["lr"] for group in optimizer.param_groups])
    )
    found = find_rate_range(session, 1e-4, 1e-2, 5)
    assert found.rates == pytest.approx([1e-4, 10**-3.5, 1e-3, 10**-2.5, 1e-2])
    for rate, lrs in zip(found.rates, used, strict=True):
        assert lrs == pytest.approx([rate * own / session.config.optimizer.lr for own in first])


def test_the_losses_are_those_of_training_at_these_rates(start: Start) -> None:
    found = find_rate_range(start(), 1e-3, 1e-1, 9)  # two epochs of four updates, and one more
    session, expected = start(), []
    rates = iter(found.rates)
    session.schedule = lambda step: next(rates) / session.config.optimizer.lr
    for _, tally in zip(range(9), endless_steps(session), strict=False):
        expected.append(tally.loss + tally.penalty)
    assert list(found.losses) == expected


def test_of_full_batch_descent_an_update_has_the_loss_of_all_its_minibatches(start: Start) -> None:
    optimizer = {"name": "gd", "lr": 0.05}
    session = start(optimizer=optimizer)
    tally, *others = [tally for _, tally in zip(range(4), endless_steps(session), strict=False)]
    for other in others:
        tally += other
    found = find_rate_range(start(optimizer=optimizer), 1e-6, 1e-5, 3)
    assert found.losses[0] == pytest.approx(tally.loss + tally.penalty)


def test_a_rate_that_is_too_large_ends_the_test_and_the_suggestion_lies_below_it(
    start: Start,
) -> None:
    found = find_rate_range(start(), 1e-4, 1e6, 60)
    assert found.diverged is not None and found.suggested is not None
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 60
    assert found.diverged == found.rates[-1]
    assert found.suggested <= found.lowest < found.diverged
    assert all(map(math.isfinite, found.losses))


def of_losses(start: Start, losses: list[float]) -> RateRange:
    """Test a session whose minibatches have these losses, whatever happens to the weights."""
    session, given = start(regularization={"kind": "none"}), iter(losses)

    def loss_fn(scores_BK: torch.Tensor, labels_B: torch.Tensor, *_: object) -> torch.Tensor:
        return 0 * scores_BK.sum() + next(given)

    fake: LossFn = loss_fn  # type: ignore[assignment]
    session.loss_fn = fake
    return find_rate_range(session, 1e-4, 1.0, len(losses))


def test_half_of_the_fall_is_where_it_was_put(start: Start) -> None:
    """From 2 to 1 in the middle of the range, within a few updates; then up again."""
    fall = [2 - 1 / (1 + math.exp(10 - i)) for i in range(20)]
    found = of_losses(start, [*fall, *[1 + 0.05 * i for i in range(21)]])
    assert 9 <= found.rates.index(found.suggested) <= 11
    assert 14 <= found.rates.index(found.lowest) <= 20
    assert found.diverged is None


@pytest.mark.parametrize("losses", [[2.0] * 30, [2 + 0.1 * i for i in range(30)]])
def test_nothing_is_suggested_where_the_loss_never_fell(start: Start, losses: list[float]) -> None:
    assert of_losses(start, losses).suggested is None


def test_noise_alone_is_no_fall(start: Start) -> None:
    noise_N = torch.rand(40, generator=torch.Generator().manual_seed(0))
    assert of_losses(start, (2 + noise_N).tolist()).suggested is None


def test_a_network_without_a_finite_loss_is_diverged_and_an_empty_range_refused(
    start: Start,
) -> None:
    with pytest.raises(DivergedError, match=r"no finite loss at a rate of 0\.0001"):
        of_losses(start, [math.nan] * 5)
    for smallest, largest in pairwise([1.0, 1.0, 0.5, 0.0, math.inf]):
        with pytest.raises(UsageError, match="the first smaller"):
            find_rate_range(start(), smallest, largest, 5)


def test_a_moving_mean_keeps_straight_lines_and_follows_without_lag() -> None:
    line = [3.0 + 2 * i for i in range(21)]
    assert moving_mean(line, 2)[8:13] == pytest.approx(line[8:13], rel=1e-4)
    assert moving_mean([5.0] * 4, 2) == pytest.approx([5.0] * 4)
    peak = [0.0] * 10 + [1.0] + [0.0] * 10
    mean = moving_mean(peak, 1.5)
    assert mean.index(max(mean)) == 10 and mean[::-1] == pytest.approx(mean)


def test_the_moving_mean_of_many_losses_fits_into_memory() -> None:
    tracemalloc.start()
    try:
        moving_mean([1.0] * 2000, 40)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("losses", "expected"),
    [([2.0], False), ([2.0, math.nan], True), ([2.0, math.inf], True), ([2.0, 90.0], False),
     ([1.0, 1.0, 1.0, 4.0, 4.0, 4.1], True), ([1.0, 1.0, 1.0, 4.0, 4.0, 3.9], False)],
)  # fmt: skip
def test_a_few_losses_far_above_the_best_few_are_a_divergence(
    losses: list[float], expected: bool
) -> None:
    assert has_diverged(losses) is expected
