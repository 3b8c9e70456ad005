import pytest
from torch import nn

from cnn_train.errors import ConfigError
from cnn_train.optim.learning_rates import factor_of, parameter_groups
from cnn_train.optim.sgd import SGDConfig


@pytest.fixture
def net() -> nn.Module:
    stage = nn.Sequential()
    stage.add_module("conv", nn.Conv2d(1, 2, 1))
    net = nn.Sequential()
    net.add_module("stage1", stage)
    net.add_module("fc", nn.Linear(2, 2))
    return net


@pytest.mark.parametrize(
    ("name", "factor"),
    [("stage1.conv.weight", 5), ("stage1.conv.bias", 3), ("stage1.bn.bias", 2), ("fc.bias", 1)],
)
def test_the_longest_name_that_fits_gives_the_factor(name: str, factor: float) -> None:
    factors = {"stage1": 2.0, "stage1.conv": 3.0, "stage1.conv.weight": 5.0, "stage": 7.0}
    assert factor_of(name, factors) == factor


def test_parameters_of_one_rate_share_a_group(net: nn.Module) -> None:
    groups = parameter_groups(net, {"fc": 0.5}, lambda *_: {"lr": 0.2})
    assert [(len(group["params"]), group["lr"]) for group in groups] == [(2, 0.2), (2, 0.1)]
    assert all(group["initial_lr"] == group["lr"] for group in groups)


def test_frozen_parameters_are_in_no_group(net: nn.Module) -> None:
    net.fc.weight.requires_grad_(False)
    (group,) = parameter_groups(net, {}, lambda *_: {"lr": 0.2})
    assert len(group["params"]) == 3


def test_a_layer_that_the_network_lacks_is_named(net: nn.Module) -> None:
    with pytest.raises(ConfigError, match="the network has no head; `cnn-train models show"):
        SGDConfig(lr_factors={"head": 2.0}).build(net)
