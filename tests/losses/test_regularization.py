import copy
from functools import partial

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional as F

from cnn_train.losses.regularization import (
    ElasticConfig,
    L1Config,
    L2Config,
    NoRegularizationConfig,
)

ACTIVE = [L1Config(strength=0.01), L2Config(strength=0.02), ElasticConfig(strength=0.03, beta=2.0)]
every_penalty = pytest.mark.parametrize("config", ACTIVE, ids=str)


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)
    )


def price_by_hand(config, weights) -> torch.Tensor:
    """Spell out the documented formula of each kind, for autograd to differentiate."""
    squares = sum((weight**2).sum() for weight in weights)
    absolutes = sum(weight.abs().sum() for weight in weights)
    match config:
        case L1Config():
            return config.strength * absolutes
        case L2Config():
            return config.strength * squares
        case ElasticConfig():
            return config.strength * (config.beta * squares + absolutes)


@every_penalty
@pytest.mark.parametrize("apply_to", ["weights", "all"])
def test_value_and_gradient_are_those_of_the_formula(config, apply_to):
    model = small_net()
    twin = copy.deepcopy(model)
    weights = [model[0].weight, model[4].weight]
    chosen = weights if apply_to == "weights" else list(model.parameters())
    expected = price_by_hand(config, chosen)
    expected.backward()
    penalty = config.model_copy(update={"apply_to": apply_to}).build(twin)()
    (3 * penalty).backward()
    assert penalty.dtype == torch.float32 and penalty.ndim == 0
    torch.testing.assert_close(penalty, expected)
    for ours, autograds in zip(twin.parameters(), model.parameters(), strict=True):
        if autograds.grad is None:
            assert ours.grad is None
        else:
            torch.testing.assert_close(ours.grad, 3 * autograds.grad)


@every_penalty
def test_millions_of_float32_weights_are_summed_without_visible_rounding(config):
    torch.manual_seed(0)
    wide = nn.Linear(2048, 1024, bias=False)
    exact = price_by_hand(config, [wide.weight.double()])
    torch.testing.assert_close(config.build(wide)().double(), exact, rtol=1e-6, atol=0)


@every_penalty
def test_it_stays_float32_under_autocast(config):
    model = small_net()
    penalty = config.build(model)
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = penalty()
    assert torch.equal(under_autocast, penalty())


@every_penalty
def test_frozen_weights_are_left_out(config):
    model = small_net()
    model[0].requires_grad_(False)
    torch.testing.assert_close(config.build(model)(), price_by_hand(config, [model[4].weight]))


def test_a_weight_of_zero_is_not_pulled_by_l1():
    layer = nn.Linear(2, 1)
    nn.init.zeros_(layer.weight)
    L1Config(strength=1.0).build(layer)().backward()
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    "config", [NoRegularizationConfig(), L2Config(strength=0.0), L1Config(strength=0.0)], ids=str
)
def test_no_regularization_is_zero_and_adds_to_any_loss(config):
    penalty = config.build(small_net())()
    assert penalty.item() == 0 and penalty.dtype == torch.float32 and not penalty.requires_grad


def test_a_model_without_weights_costs_nothing():
    assert L2Config().build(nn.BatchNorm2d(3))().item() == 0


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_l2_of_strength_lambda_is_weight_decay_of_two_lambda(momentum, nesterov):
    """After 20 updates of the same net on the same data both have moved to the same weights."""
    strength, lr = 5e-3, 0.05
    priced, decayed = small_net(), small_net()
    penalty = L2Config(strength=strength, apply_to="all").build(priced)
    images_BCHW = torch.randn(8, 3, 4, 4)
    labels_B = torch.arange(8) % 5
    sgd = partial(torch.optim.SGD, lr=lr, momentum=momentum, nesterov=nesterov)
    priced_sgd = sgd(priced.parameters())
    decayed_sgd = sgd(decayed.parameters(), weight_decay=2 * strength)
    for _ in range(20):
        for model, optimizer in ((priced, priced_sgd), (decayed, decayed_sgd)):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images_BCHW), labels_B)
            (loss + penalty() if model is priced else loss).backward()
            optimizer.step()
    start = small_net()
    for ours, torchs, first in zip(
        priced.parameters(), decayed.parameters(), start.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, torchs, rtol=1e-5, atol=1e-6)
        assert not torch.equal(ours, first)


@pytest.mark.parametrize("strength", [-1e-4, float("nan"), float("inf"), "5e-4"])
@pytest.mark.parametrize("config", [L1Config, L2Config, ElasticConfig])
def test_a_strength_that_is_not_a_number_from_0_on_is_refused(config, strength):
    with pytest.raises(ValidationError):
        config(strength=strength)
