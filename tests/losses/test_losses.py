"""Claims that hold for every loss in the table, and so for every loss added to it."""

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from cnn_train.checks.slopes import Objective, check_gradient
from cnn_train.errors import ConfigError
from cnn_train.losses import LOSSES
from cnn_train.losses.cross_entropy import CrossEntropyConfig
from cnn_train.losses.hinge import HingeConfig

VARIANTS = [
    *(config() for config in LOSSES.values()),
    HingeConfig(margin=0.3),
    HingeConfig(margin=2.0, squared=True),
    CrossEntropyConfig(label_smoothing=0.1),
]
WEIGHTS = (2.0, 1.0, 0.5, 1.0, 0.0, 1.0, 1.0, 3.0, 1.0, 0.1)
WEIGHTED = [
    config(weights=weights) for config in LOSSES.values() for weights in ("balanced", WEIGHTS)
] + [CrossEntropyConfig(label_smoothing=0.1, weights=WEIGHTS)]
COUNTS_K = torch.tensor([40, 10, 20, 10, 5, 10, 10, 5, 80, 10])
NAMES = tuple("abcdefghij")
SCORES_BK = torch.randn(6, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS_B = torch.tensor([0, 9, 3, 3, 7, 1])
every_loss = pytest.mark.parametrize("config", VARIANTS + WEIGHTED, ids=str)
every_plain_loss = pytest.mark.parametrize("config", VARIANTS, ids=str)
every_name = pytest.mark.parametrize("name", LOSSES)


def build(config):
    """Build the loss as training does."""
    return config.build_weighted(COUNTS_K, NAMES)


@every_loss
def test_its_gradient_equals_finite_differences(config):
    scores_BK, loss_fn = SCORES_BK.clone().requires_grad_(), build(config)
    objective = Objective(lambda: scores_BK, lambda scores_BK: loss_fn(scores_BK, LABELS_B))
    (found,) = check_gradient(
        objective, {"scores": scores_BK}, samples=60, generator=torch.Generator()
    )
    assert found.passed and len(found.judged) > 30


@every_loss
def test_mean_and_sum_are_those_of_the_single_losses(config):
    loss_fn = build(config)
    losses_B = loss_fn(SCORES_BK, LABELS_B, "none")
    assert losses_B.shape == (6,)
    torch.testing.assert_close(loss_fn(SCORES_BK, LABELS_B), losses_B.mean())
    torch.testing.assert_close(loss_fn(SCORES_BK, LABELS_B, "sum"), losses_B.sum())


@every_plain_loss
def test_renaming_the_classes_does_not_change_it(config):
    loss_fn = build(config)
    old_of_new_K = torch.tensor([3, 1, 4, 0, 5, 9, 2, 6, 8, 7])
    new_of_old_K = old_of_new_K.argsort()
    renamed = loss_fn(SCORES_BK[:, old_of_new_K], new_of_old_K[LABELS_B])
    torch.testing.assert_close(renamed, loss_fn(SCORES_BK, LABELS_B))


@every_loss
def test_adding_a_constant_to_all_scores_does_not_change_it(config):
    loss_fn = build(config)
    torch.testing.assert_close(loss_fn(SCORES_BK + 7, LABELS_B), loss_fn(SCORES_BK, LABELS_B))


@every_plain_loss
@pytest.mark.parametrize("num_classes", [2, 10])
def test_chance_loss_is_the_loss_of_equal_scores(config, num_classes):
    loss = config.build()(torch.zeros(4, num_classes), torch.tensor([0, 1, 1, 0]))
    assert config.chance_loss(num_classes) == pytest.approx(loss.item(), rel=1e-6)


@every_loss
def test_half_precision_scores_are_widened_before_the_sums(config):
    loss_fn = build(config)
    narrow_BK = SCORES_BK.bfloat16()
    loss = loss_fn(narrow_BK, LABELS_B)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, loss_fn(narrow_BK.float(), LABELS_B), rtol=0, atol=0)


@every_loss
def test_it_computes_in_float32_under_autocast(config):
    loss_fn = build(config)
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_fn(SCORES_BK.float(), LABELS_B)
    torch.testing.assert_close(loss, loss_fn(SCORES_BK.float(), LABELS_B), rtol=0, atol=0)


@every_loss
def test_a_score_that_is_not_a_number_is_not_hidden(config):
    broken_BK = SCORES_BK.clone()
    broken_BK[2, 5] = torch.nan
    assert build(config)(broken_BK, LABELS_B).isnan()


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


def test_without_weights_it_is_the_very_same_function():
    for config in VARIANTS:
        built, plain = build(config), config.build()
        assert (built.func, built.keywords) == (plain.func, plain.keywords)


TORCHS = {  # with one weight per class
    "cross_entropy": lambda weight: F.cross_entropy(
        SCORES_BK, LABELS_B, weight=weight, reduction="none"
    ),
    "hinge": lambda weight: 10 * F.multi_margin_loss(
        SCORES_BK, LABELS_B, weight=weight, reduction="none"
    ),
}  # fmt: skip


@every_name
@pytest.mark.parametrize("weights", ["balanced", WEIGHTS], ids=str)
def test_a_weight_multiplies_the_loss_of_its_class_as_torchs_does(name, weights):
    config = LOSSES[name](name=name, weights=weights)
    weights_K = config.class_weights(COUNTS_K, NAMES).double()
    torch.testing.assert_close(build(config)(SCORES_BK, LABELS_B, "none"), TORCHS[name](weights_K))


@every_name
def test_balanced_weights_are_inverse_frequencies_whose_mean_over_the_images_is_one(name):
    """N / (K · N_k), as the documentation says; then each class has the same share of the loss."""
    weights_K = LOSSES[name](name=name, weights="balanced").class_weights(COUNTS_K, NAMES)
    torch.testing.assert_close(weights_K, 200 / (10 * COUNTS_K.float()))
    torch.testing.assert_close(COUNTS_K * weights_K, torch.full((10,), 20.0))
    alike_K = LOSSES[name](name=name, weights="balanced").class_weights(COUNTS_K * 0 + 7, NAMES)
    torch.testing.assert_close(alike_K, torch.ones(10))


@every_name
def test_only_the_ratios_of_weights_matter_and_their_mean_over_the_images_is_one(name):
    large, small = (
        LOSSES[name](name=name, weights=[scale * w for w in WEIGHTS]).class_weights(COUNTS_K, NAMES)
        for scale in (1e5, 1e-300)
    )
    torch.testing.assert_close(large, small)
    torch.testing.assert_close(large / large[0], torch.tensor(WEIGHTS) / 2)
    assert float(large @ COUNTS_K.float()) == pytest.approx(200)
    chance = build(LOSSES[name](name=name, weights=WEIGHTS))(
        torch.zeros(200, 10), torch.arange(10).repeat_interleave(COUNTS_K)
    )
    assert chance.item() == pytest.approx(LOSSES[name](name=name).chance_loss(10), rel=1e-5)


@every_name
def test_the_loss_of_a_minibatch_is_the_mean_of_its_parts_by_size_with_weights_too(name):
    """torch's mean, which divides by the sum of the weights, has not this property."""
    loss_fn = build(LOSSES[name](name=name, weights=WEIGHTS))
    few, many = (loss_fn(SCORES_BK[part], LABELS_B[part]) for part in (slice(2), slice(2, 6)))
    torch.testing.assert_close((2 * few + 4 * many) / 6, loss_fn(SCORES_BK, LABELS_B))


def test_a_smoothed_loss_is_weighed_by_the_images_class_alone_and_not_as_torchs_is():
    config = CrossEntropyConfig(label_smoothing=0.2, weights=WEIGHTS)
    weights_K = config.class_weights(COUNTS_K, NAMES).double()
    found_B = build(config)(SCORES_BK, LABELS_B, "none")
    plain_B, torchs_B = (
        F.cross_entropy(
            SCORES_BK, LABELS_B, weight=weight, label_smoothing=0.2, reduction="none"
        ) for weight in (None, weights_K)
    )  # fmt: skip
    torch.testing.assert_close(found_B, weights_K[LABELS_B] * plain_B)
    assert not torch.allclose(found_B, torchs_B, rtol=0.01)


@every_name
def test_a_class_of_weight_zero_gives_no_gradient(name):
    scores_BK = SCORES_BK.clone().requires_grad_()
    build(LOSSES[name](name=name, weights=WEIGHTS))(scores_BK, torch.full((6,), 4)).backward()
    assert not scores_BK.grad.any()


@every_name
def test_weights_are_refused_where_they_are_not_one_per_class_or_none_counts(name):
    with pytest.raises(ConfigError, match="2 numbers for 10 classes; give one for each of a, b"):
        build(LOSSES[name](name=name, weights=[1.0, 2.0]))
    for weights in ([0.0, 0.0], [], [-1.0, 1.0], [float("inf"), 1.0], "heavy", 2.0, ["1", 2.0]):
        with pytest.raises(ValidationError):
            LOSSES[name](name=name, weights=weights)
