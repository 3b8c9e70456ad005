"""The average follows its definition, and torch's own."""

import math
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cnn_train.optim.averaging import WeightAverage


def make_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))


def shake(net: nn.Module) -> None:
    """Change weights and batch statistics, as an update does."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter))
    net(torch.randn(5, 3, 8, 8))


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_the_average_equals_torchs_own_after_several_updates(decay: float) -> None:
    net = make_net()
    ours = WeightAverage(net, decay)
    ours.update(net)
    ours.num_updates = 10**6  # past the warm-up, of which torch knows nothing
    theirs = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    theirs.update_parameters(net)
    for _ in range(5):
        shake(net)
        ours.update(net)
        theirs.update_parameters(net)
    expected = theirs.module.state_dict()
    for name, value in ours.module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, expected[name])


def test_the_decay_warms_up_by_the_fractions_worked_by_hand() -> None:
    """Of weights 1, 2, 4, 8 with d = 1/4: 2/11, then 3/12, then d itself rather than 4/13."""
    net = nn.Linear(1, 1, bias=False)
    average, found = WeightAverage(net, 0.25), []
    for weight in (1, 2, 4, 8):
        nn.init.constant_(net.weight, weight)
        average.update(net)
        found.append(float(next(average.module.parameters())))
    by_hand = [Fraction(1), Fraction(20, 11), Fraction(38, 11), Fraction(151, 22)]
    assert found == pytest.approx([float(value) for value in by_hand], rel=1e-6)
    assert by_hand[3] == Fraction(1, 4) * Fraction(38, 11) + Fraction(3, 4) * 8


def test_an_average_too_slow_for_its_updates_has_forgotten_where_it_began() -> None:
    """Without a warm-up, 0.9999³⁰⁰ = 97 % of the average would be the first weights."""
    net = nn.Linear(1, 1, bias=False)
    average = WeightAverage(net, 0.9999)
    for step in range(301):
        nn.init.constant_(net.weight, 1.0 if step == 0 else 0.0)
        average.update(net)
    share = math.prod((1 + n) / (10 + n) for n in range(1, 301))
    assert share < 1e-15
    assert float(next(average.module.parameters())) == pytest.approx(share, rel=1e-3)


def test_counters_are_copied_and_not_blended() -> None:
    net = make_net()
    average = WeightAverage(net, 0.9)
    for _ in range(3):
        shake(net)
        average.update(net)
    assert average.module.state_dict()["1.num_batches_tracked"] == 3


def test_the_average_has_no_gradient_and_leaves_the_network_alone() -> None:
    net = make_net()
    average = WeightAverage(net, 0.5)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    average.update(net)
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
