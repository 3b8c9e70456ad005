from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_train.acceleration.convolutions import ReplacedConvolutions
from cnn_train.acceleration.forward import training_forward
from cnn_train.acceleration.small_maps import (
    MIN_CHANNELS,
    SmallMapConvolution,
    filter_gradient,
    is_small,
)
from cnn_train.machine.device import Device, Precision


def random(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


@pytest.mark.parametrize(("kernel_px", "side"), [(3, 4), (3, 1), (5, 3), (3, 2)])
def test_the_filters_gradient_is_the_sum_of_matrix_products(kernel_px: int, side: int) -> None:
    x, slope = random(3, 4, side, side), random(3, 6, side, side)
    expected = torch.nn.grad.conv2d_weight(
        x, (6, 4, kernel_px, kernel_px), slope, padding=kernel_px // 2
    )
    torch.testing.assert_close(filter_gradient(x, slope, kernel_px), expected)


def test_forward_and_both_gradients_are_those_of_torch() -> None:
    gradients = []
    for convolve in (
        lambda x, w: SmallMapConvolution.apply(x, w, torch.float64),
        lambda x, w: F.conv2d(x, w, padding=1),
    ):
        x, weight = random(2, 3, 4, 4).requires_grad_(), random(5, 3, 3, 3).requires_grad_()
        (convolve(x, weight) * random(2, 5, 4, 4)).sum().backward()
        gradients.append((x.grad, weight.grad))
    torch.testing.assert_close(gradients[0], gradients[1])


def test_small_maps_with_many_channels_are_taken() -> None:
    wide, narrow = (torch.zeros(width, width, 3, 3) for width in (MIN_CHANNELS, MIN_CHANNELS - 1))
    taken = {
        "small": (4, wide, True),
        "largest": (5, wide, True),
        "large": (6, wide, False),
        "few channels": (4, narrow, False),
        "one by one": (4, wide[:, :, :1, :1], False),
    }
    for name, (side, weight, expected) in taken.items():
        assert is_small(torch.zeros(1, weight.shape[1], side, side), weight) == expected, name


def test_in_training_in_bfloat16_small_maps_are_taken_and_no_larger_ones() -> None:
    layer = nn.Conv2d(64, 64, 3, padding=1, bias=False)
    cpu, bfloat16 = Device(torch.device("cpu"), ""), Precision(torch.bfloat16, "as configured")
    forward = training_forward(layer, cpu, bfloat16, compiled=False)
    for side, expected in ((5, True), (6, False)):
        to_float32 = forward(torch.zeros(1, 64, side, side)).grad_fn
        convolution = to_float32.next_functions[0][0].name()
        assert (convolution == "SmallMapConvolutionBackward") == expected, side


def test_under_autocast_it_gives_torchs_values_and_gradients_up_to_rounding() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(64, 64, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    x = random(8, 64, 4, 4, dtype=torch.float32).to(memory_format=torch.channels_last)
    found = []

    def in_bfloat16(x: torch.Tensor, weight: torch.Tensor, *geometry: Any) -> Any:
        return SmallMapConvolution.apply(x, weight, torch.bfloat16)

    for mode in (ReplacedConvolutions(in_bfloat16), torch.enable_grad()):
        layer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16), mode:
            y = layer(x)
        y.float().square().mean().backward()
        assert y.dtype == torch.bfloat16
        assert layer.weight.grad.dtype == torch.float32
        found.append((y.detach(), layer.weight.grad.clone()))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=0.02, atol=1e-4)
