"""Convolutions as the networks have them give the gradients that float64 gives."""

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cnn_train.models import ARCHITECTURES
from cnn_train.models.architecture import ArchitectureConfig
from cnn_train.models.pointwise import PointwiseConv2d, avoid_strided_pointwise

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 5e-2}  # of the gradient's norm
LAYERS: tuple[dict[str, Any], ...] = (
    {"kernel_size": 1}, {"kernel_size": 1, "stride": 2}, {"kernel_size": 1, "stride": 3},
    {"kernel_size": 1, "stride": (2, 1)}, {"kernel_size": 1, "stride": 2, "bias": True},
    {"kernel_size": 1, "stride": 2, "groups": "each channel"},
    {"kernel_size": 1, "stride": 2, "padding": 1}, {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1}, {"kernel_size": 2, "stride": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1, "groups": "each channel"},
)  # fmt: skip


def cases(most_channels: int) -> Iterator[tuple[Any, ...]]:
    """Every layer with 1 to 17 input channels, or fewer, on 6×6 pixels, which strides divide."""
    formats, fans_in = (torch.channels_last, torch.contiguous_format), range(1, most_channels + 1)
    parts = (1, 2), TOLERANCE, formats, fans_in, (4, 16), LAYERS
    for threads, dtype, order, fan_in, fan_out, layer in product(*parts):
        groups, maps = (fan_in, fan_in) if "groups" in layer else (1, fan_out)
        yield threads, dtype, order, fan_in, maps, {"bias": False} | layer | {"groups": groups}


def passes(layer: nn.Module, x_BCHW: Tensor) -> tuple[Tensor, ...]:
    """Return the layer's output and its gradients: of the input, the filters and the bias."""
    x_BCHW = x_BCHW.detach().requires_grad_()
    y_BOHW = layer(x_BCHW)
    generator = torch.Generator().manual_seed(1)
    slope_BOHW = torch.randn(y_BOHW.shape, generator=generator).bfloat16().to(y_BOHW.dtype)
    inputs = (x_BCHW, *layer.parameters())
    return y_BOHW.detach(), *torch.autograd.grad(y_BOHW, inputs, slope_BOHW)


def check_every_case(most_channels: int) -> None:
    """Exit with the cases whose numbers are wrong; a crash or a hang ends this process."""
    torch.manual_seed(0)
    wrong = []
    for threads, dtype, order, fan_in, fan_out, settings in cases(most_channels):
        torch.set_num_threads(threads)
        net = nn.Sequential(nn.Conv2d(fan_in, fan_out, **settings)).bfloat16()
        x_BCHW = torch.randn(4, fan_in, 6, 6).bfloat16()  # exact in every dtype
        expected = passes(copy.deepcopy(net[0]).double(), x_BCHW.double())
        net.to(dtype, memory_format=order)
        avoid_strided_pointwise(net)
        found = passes(net[0], x_BCHW.to(dtype, memory_format=order))
        errors = [
            float((ours - right).norm() / (right.norm() + right.numel() ** 0.5))
            for ours, right in zip(found, expected, strict=True)
        ]
        if not max(errors) <= TOLERANCE[dtype]:
            wrong.append(f"{threads} {dtype} {order} {fan_in} {fan_out} {settings} {errors}")
    sys.exit("\n".join(wrong) or 0)


@pytest.mark.parametrize("most_channels", [1, pytest.param(17, marks=pytest.mark.slow)])
def test_convolutions_of_few_channels_have_the_gradients_of_float64(most_channels: int) -> None:
    """In a process of its own: where the library is wrong, it also crashes and hangs."""
    command = [sys.executable, __file__, str(most_channels)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_only_the_way_to_the_numbers_changes() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 5, 1, stride=(2, 3)), nn.Conv2d(5, 2, 1)).double()
    ours, x_BCHW = copy.deepcopy(plain), torch.randn(2, 3, 7, 8).double()
    avoid_strided_pointwise(ours)
    ours = copy.deepcopy(ours)
    assert [type(layer) for layer in ours] == [PointwiseConv2d, nn.Conv2d]
    assert ours[0].stride == (2, 3)
    assert list(ours.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(passes(ours[0], x_BCHW), passes(plain[0], x_BCHW))
    assert torch.autograd.gradgradcheck(ours[0], x_BCHW.requires_grad_())


class StridedPointwise(TorchDispatchMode):
    """Notes the filters' shapes of every 1×1 convolution that strides without padding."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.ops.aten.convolution.default:
            _, weight, _, stride, padding, *_ = args
            if tuple(weight.shape[2:]) == (1, 1) and max(stride) > 1 and max(padding) == 0:
                self.seen.append(tuple(weight.shape))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in ARCHITECTURES),
        ("resnet20", {"shortcut": "projection"}),
        ("fastnet", {"stem": "strided", "stem_kernel_px": 1}),
        ("torchvision", {"architecture": "resnext50_32x4d"}),
        ("torchvision", {"architecture": "regnet_y_400mf"}),
    ],
)
def test_no_network_computes_a_1x1_convolution_with_a_stride(
    name: str, settings: dict[str, Any]
) -> None:
    with torch.device("meta"):
        model = ARCHITECTURES[name](name=name, **settings).build(10, (3, 32, 32))
        with StridedPointwise() as mode:
            model(torch.zeros(2, 3, 32, 32))
    assert mode.seen == []


def test_a_network_that_is_added_is_computed_so_too() -> None:
    class Own(ArchitectureConfig):
        name: str = "own"

        def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
            return nn.Conv2d(image_shape[0], num_classes, 1, stride=2)

    build: Callable[..., nn.Module] = Own().build
    with StridedPointwise() as mode:
        build(4, (3, 8, 8))(torch.zeros(1, 3, 8, 8))
    assert mode.seen == []


if __name__ == "__main__":
    check_every_case(int(sys.argv[1]))
