"""Claims that hold for every loss in the table, and so for every loss added to it."""

import pytest
import torch
from torch.nn import functional as F

from cnn_train.checks.slopes import Objective, check_gradient
from cnn_train.losses import LOSSES
from cnn_train.losses.cross_entropy import CrossEntropyConfig
from cnn_train.losses.hinge import HingeConfig

VARIANTS = [
    *(config() for config in LOSSES.values()),
    HingeConfig(margin=0.3),
    HingeConfig(margin=2.0, squared=True),
    CrossEntropyConfig(label_smoothing=0.1),
]
SCORES_BK = torch.randn(6, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS_B = torch.tensor([0, 9, 3, 3, 7, 1])
every_loss = pytest.mark.parametrize("config", VARIANTS, ids=str)


@every_loss
def test_its_gradient_equals_finite_differences(config):
    scores_BK, loss_fn = SCORES_BK.clone().requires_grad_(), config.build()
    objective = Objective(lambda: scores_BK, lambda scores_BK: loss_fn(scores_BK, LABELS_B))
    (found,) = check_gradient(
        objective, {"scores": scores_BK}, samples=60, generator=torch.Generator()
    )
    assert found.passed and len(found.judged) > 30


@every_loss
def test_mean_and_sum_are_those_of_the_single_losses(config):
    loss_fn = config.build()
    losses_B = loss_fn(SCORES_BK, LABELS_B, "none")
    assert losses_B.shape == (6,)
    torch.testing.assert_close(loss_fn(SCORES_BK, LABELS_B), losses_B.mean())
    torch.testing.assert_close(loss_fn(SCORES_BK, LABELS_B, "sum"), losses_B.sum())


@every_loss
def test_renaming_the_classes_does_not_change_it(config):
    loss_fn = config.build()
    old_of_new_K = torch.tensor([3, 1, 4, 0, 5, 9, 2, 6, 8, 7])
    new_of_old_K = old_of_new_K.argsort()
    renamed = loss_fn(SCORES_BK[:, old_of_new_K], new_of_old_K[LABELS_B])
    torch.testing.assert_close(renamed, loss_fn(SCORES_BK, LABELS_B))


@every_loss
def test_adding_a_constant_to_all_scores_does_not_change_it(config):
    loss_fn = config.build()
    torch.testing.assert_close(loss_fn(SCORES_BK + 7, LABELS_B), loss_fn(SCORES_BK, LABELS_B))


@every_loss
@pytest.mark.parametrize("num_classes", [2, 10])
def test_chance_loss_is_the_loss_of_equal_scores(config, num_classes):
    loss = config.build()(torch.zeros(4, num_classes), torch.tensor([0, 1, 1, 0]))
    assert config.chance_loss(num_classes) == pytest.approx(loss.item(), rel=1e-6)


@every_loss
def test_half_precision_scores_are_widened_before_the_sums(config):
    loss_fn = config.build()
    narrow_BK = SCORES_BK.bfloat16()
    loss = loss_fn(narrow_BK, LABELS_B)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, loss_fn(narrow_BK.float(), LABELS_B), rtol=0, atol=0)


@every_loss
def test_it_computes_in_float32_under_autocast(config):
    loss_fn = config.build()
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_fn(SCORES_BK.float(), LABELS_B)
    torch.testing.assert_close(loss, loss_fn(SCORES_BK.float(), LABELS_B), rtol=0, atol=0)


@every_loss
def test_a_score_that_is_not_a_number_is_not_hidden(config):
    broken_BK = SCORES_BK.clone()
    broken_BK[2, 5] = torch.nan
    assert config.build()(broken_BK, LABELS_B).isnan()


def test_chance_levels_of_ten_classes_are_the_lectures():
    assert CrossEntropyConfig().chance_loss(10) == pytest.approx(2.3026, abs=5e-5)
    assert HingeConfig().chance_loss(10) == 9.0


def test_only_a_loss_on_probabilities_says_it_gives_them():
    """Its minimum for a 70:30 coin lies at scores whose softmax is 70:30; the hinge's does not."""
    coin_B = torch.tensor([0] * 7 + [1] * 3)
    for config in (CrossEntropyConfig(), HingeConfig()):
        scores_K = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([scores_K], lr=0.5)
        for _ in range(200):
            optimizer.zero_grad()
            config.build()(scores_K.expand(10, 2), coin_B).backward()
            optimizer.step()
        found = F.softmax(scores_K.detach(), 0)[0].item()
        assert (found == pytest.approx(0.7, abs=1e-3)) == config.gives_probabilities
