from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_train.checks.kinks import KinkWatch, kinks_between

CORNERS: dict[str, tuple[Callable[[Tensor], Tensor], float, str]] = {
    "relu": (F.relu, 0.0, "ReLU"),
    "relu in place": (lambda x: F.relu_(x.clone()), 0.0, "ReLU"),
    "leaky relu": (F.leaky_relu, 0.0, "ReLU"),
    "relu6, below": (F.relu6, 0.0, "ReLU"),
    "relu6, above": (F.relu6, 6.0, "ReLU"),
    "clamp": (lambda x: x.clamp(max=2.0), 2.0, "ReLU"),
    "clamp_min": (lambda x: x.clamp_min(1.5), 1.5, "ReLU"),
    "threshold": (lambda x: F.threshold(x, 0.5, 0.0), 0.5, "ReLU"),
    "hardswish": (F.hardswish, -3.0, "ReLU"),
    "hardsigmoid": (F.hardsigmoid, 3.0, "ReLU"),
    "absolute value": (torch.abs, 0.0, "|x|"),
    "maximum": (lambda x: torch.maximum(x, torch.ones(())), 1.0, "max"),
    "max": (lambda x: torch.stack([x, torch.full_like(x, 0.25)]).max(dim=0)[0], 0.25, "max"),
    "max-pool": (lambda x: F.max_pool2d(x * torch.eye(2), 2), 0.0, "max-pool"),
    "adaptive max-pool": (lambda x: F.adaptive_max_pool2d(x * torch.eye(2), 1), 0.0, "max-pool"),
}


def kinks_of(function: Callable[[Tensor], Tensor], below: float, above: float) -> list[str]:
    patterns = []
    for value in (below, above):
        with KinkWatch() as watch:
            function(torch.full((1, 1, 1), value))
        patterns.append(watch.patterns)
    return kinks_between(*patterns)


@pytest.mark.parametrize(("function", "corner", "kind"), CORNERS.values(), ids=CORNERS)
def test_a_step_across_a_corner_is_noticed_and_one_beside_it_is_not(
    function: Callable[[Tensor], Tensor], corner: float, kind: str
) -> None:
    assert kinks_of(function, corner - 0.1, corner + 0.1) == [kind]
    assert kinks_of(function, corner + 0.1, corner + 0.2) == []


def test_a_tie_in_a_flat_window_that_rounding_breaks_otherwise_is_no_kink() -> None:
    flat, patterns = torch.full((1, 1, 2, 2), 3.0, dtype=torch.float64), []
    for place in (0, 3):
        broken = flat.clone()
        broken.view(-1)[place] += 2 * torch.finfo(torch.float64).eps
        with KinkWatch() as watch:
            value, index = F.max_pool2d(broken, 2, return_indices=True)
        assert index.item() == place and value.item() > 3
        patterns.append(watch.patterns)
    assert kinks_between(*patterns) == []


AVERAGE = partial(F.avg_pool2d, kernel_size=1)
SMOOTH = {"tanh": torch.tanh, "gelu": F.gelu, "silu": F.silu, "avg_pool2d": AVERAGE}


@pytest.mark.parametrize("function", SMOOTH.values(), ids=SMOOTH)
def test_smooth_functions_have_no_kinks(function: Callable[..., Tensor]) -> None:
    with KinkWatch() as watch:
        function(torch.randn(1, 2, 2))
    assert watch.patterns == []


def test_a_kink_inside_a_module_and_inside_an_autograd_function_is_seen() -> None:
    class Absolute(torch.autograd.Function):
        @staticmethod
        def forward(context: object, x: Tensor) -> Tensor:
            return x.abs()

        @staticmethod
        def backward(context: object, slope: Tensor) -> Tensor:
            return slope

    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    with KinkWatch() as watch:
        Absolute.apply(network(torch.randn(2, 3)))
    assert [kind for kind, _ in watch.patterns] == ["ReLU", "|x|"]
