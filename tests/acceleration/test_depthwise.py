import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnn_train.acceleration import forward
from cnn_train.acceleration.depthwise import is_slow
from cnn_train.acceleration.forward import training_forward
from cnn_train.machine.device import Device, Precision

CPU, BFLOAT16 = Device(torch.device("cpu"), ""), Precision(torch.bfloat16, "as configured")


def depthwise(channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
    return layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def test_those_are_slow_that_have_no_fast_gradient_in_bfloat16() -> None:
    slow = {
        "plain": (depthwise(8, 3), 6, False),
        "stride": (depthwise(8, 3, 2), 6, True),
        "five by five": (depthwise(8, 5), 6, True),
        "map below the filter": (depthwise(8, 3), 2, True),
        "map of the filter's size": (depthwise(8, 3), 3, False),
        "of all maps": (nn.Conv2d(8, 8, 3, 2, 1), 6, False),
        "in groups": (nn.Conv2d(8, 8, 3, 2, 1, groups=4), 6, False),
        "two filters for a map": (nn.Conv2d(8, 16, 3, 2, 1, groups=8), 6, False),
        "one map": (depthwise(1, 3, 2), 6, False),
    }
    for name, (layer, side, expected) in slow.items():
        x = torch.zeros(1, layer.in_channels, side, side)
        assert is_slow(x, layer.weight, layer.stride, layer.groups) == expected, name


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 2, 8), (5, 1, 8), (3, 1, 2)])
def test_maps_and_gradients_are_those_of_float32_up_to_the_rounding_of_the_maps(
    kernel: int, stride: int, side: int
) -> None:
    torch.manual_seed(0)
    layer = depthwise(16, kernel, stride)
    x = torch.randn(4, 16, side, side).to(memory_format=torch.channels_last)
    plain = copy.deepcopy(layer)
    found, expected = training_forward(layer, CPU, BFLOAT16, compiled=False)(x), plain(x)
    torch.testing.assert_close(found, expected, rtol=2**-8, atol=0)
    slope = torch.randn_like(expected).bfloat16().float()
    for y in (found, expected):
        y.backward(slope)
    torch.testing.assert_close(layer.weight.grad, plain.weight.grad)  # summed in float32


def test_in_training_those_that_are_slow_and_no_others_are_computed_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def instead(x_BCHW: Tensor, weight: Tensor, geometry: Any, dtype: torch.dtype) -> Tensor:
        asked.append((weight.shape[2], geometry[0]))
        return torch.nn.functional.conv2d(x_BCHW, weight, None, *geometry)

    monkeypatch.setattr(forward, "convolve_in_float32", instead)
    network = nn.Sequential(depthwise(8, 3), depthwise(8, 3, 2), depthwise(8, 5))
    images = torch.zeros(2, 8, 8, 8)
    training_forward(network, CPU, Precision(torch.float32, ""), compiled=False)(images)
    assert asked == []
    training_forward(network, CPU, BFLOAT16, compiled=False)(images)
    assert asked == [(3, (2, 2)), (5, (1, 1))]
