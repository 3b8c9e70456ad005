"""The average follows its definition, and torch's own."""

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
    theirs = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    for _ in range(5):
        shake(net)
        ours.update(net)
        theirs.update_parameters(net)
    expected = theirs.module.state_dict()
    for name, value in ours.module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, expected[name])


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
