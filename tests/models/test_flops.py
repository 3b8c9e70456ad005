from typing import Any

import pytest
import torch
from torch import nn

from cnn_train.models import ARCHITECTURES
from cnn_train.models.flops import count_flops
from cnn_train.models.summary import summarize


def test_a_linear_layer_costs_two_operations_per_weight_and_pass() -> None:
    """Backward has the weights' gradient only: nobody asks for that of the pixels."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 10))
    flops = count_flops(model, (3, 4, 4))
    assert flops.forward == 2 * 48 * 10
    assert flops.training == 2 * flops.forward


def test_a_second_layer_needs_the_gradient_of_its_input_too() -> None:
    first, second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 1)
    flops = count_flops(nn.Sequential(first, second, nn.Flatten()), (3, 6, 6))
    cost_1, cost_2 = 2 * 36 * 27 * 4, 2 * 36 * 4 * 5
    assert flops.forward == cost_1 + cost_2
    assert flops.training == 2 * cost_1 + 3 * cost_2


def test_a_frozen_first_layer_costs_its_forward_pass_only() -> None:
    first, second = nn.Linear(12, 6).requires_grad_(False), nn.Linear(6, 2)
    flops = count_flops(nn.Sequential(nn.Flatten(), first, second), (3, 2, 2))
    assert flops.training == 2 * 12 * 6 + 2 * (2 * 6 * 2)


def test_the_model_stays_as_it_is() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    count_flops(model, (3, 2, 2))
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_forward_pass_agrees_with_the_layer_table(name: str, build_thin: Any) -> None:
    """Twice the multiply-adds that ``cnn-train models`` lists."""
    model = build_thin(name)
    flops = count_flops(model, (3, 32, 32))
    assert flops.forward == 2 * sum(layer.macs for layer in summarize(model, (3, 32, 32)))
    assert flops.forward < flops.training <= 3 * flops.forward


def test_a_depthwise_convolution_costs_one_kernel_per_channel() -> None:
    """Forward, gradient of the input, gradient of the weights: three times the same."""
    model = nn.Sequential(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Flatten())
    flops = count_flops(model, (3, 4, 4))
    pointwise, depthwise = 2 * 16 * 3 * 6, 2 * 16 * 9 * 6
    assert flops.training == 2 * pointwise + 3 * depthwise
