"""Guided backpropagation and deconv against a net with two layers, computed by hand."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_train.errors import UsageError
from cnn_train.models.summary import trace_layers
from cnn_train.models.torchvision_models import TorchvisionConfig
from cnn_train.visualize.backward_rules import ReluRule, unit_signals
from cnn_train.visualize.layers import find_units

FIRST = [[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [3.0, 0.0]]
SECOND = [[2.0, 5.0, -1.0, 1.0]]
PIXELS = [2.0, 1.0]
FIRST_UNIT_B3 = torch.zeros(1, 3, dtype=torch.int64)
# W x = (1, −1, 3, 6), h = (1, 0, 3, 6), v · h = 2 + 0 − 3 + 6 = 5: the unit is active. Its signal 1
# reaches h as v = (2, 5, −1, 1). Then, by the three rules of a ReLU:
PASSED = {
    "gradient": [2.0, 0.0, -1.0, 1.0],  # where W x > 0
    "deconv": [2.0, 5.0, 0.0, 1.0],  # where v > 0
    "guided": [2.0, 0.0, 0.0, 1.0],  # where both are
}
# and back through W: the rows of W weighted by what has passed.
BY_HAND = {
    "gradient": [2 - 1 + 3, -2 - 1],
    "deconv": [2 - 5 + 3, -2 + 5],
    "guided": [2 + 3, -2],
}  # fmt: skip


class AsFunctions(nn.Module):
    """The same net with relu called as a function, in one of its spellings."""

    def __init__(self, first: nn.Module, second: nn.Module, spelling: str) -> None:
        super().__init__()
        self.first, self.second, self.spelling = first, second, spelling

    def forward(self, images_BCHW: Tensor) -> Tensor:
        relu = {"F": F.relu, "torch": torch.relu, "method": Tensor.relu, "inplace": Tensor.relu_}
        apply = relu[self.spelling]
        output_BCHW: Tensor = apply(self.second(apply(self.first(images_BCHW))))
        return output_BCHW


def make_net(spelling: str = "module") -> nn.Module:
    """Make the two layers as 1 × 1 convolutions of an image of one pixel in two colours."""
    first, second = nn.Conv2d(2, 4, 1, bias=False), nn.Conv2d(4, 1, 1, bias=False)
    first.weight.data = torch.tensor(FIRST)[:, :, None, None]
    second.weight.data = torch.tensor(SECOND)[:, :, None, None]
    if spelling == "module":
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU()).eval()
    return AsFunctions(first, second, spelling).eval()


def signals(model: nn.Module, rule: str) -> list[float]:
    runs = trace_layers(model, (2, 1, 1))
    units = find_units(runs, "2" if isinstance(model, nn.Sequential) else "second")
    image_BCHW = torch.tensor(PIXELS)[None, :, None, None]
    signal_BCHW = unit_signals(model, units, image_BCHW, FIRST_UNIT_B3, rule)  # type: ignore[arg-type]
    values: list[float] = signal_BCHW.flatten().tolist()
    return values


@pytest.mark.parametrize("rule", ["guided", "deconv"])
@pytest.mark.parametrize("spelling", ["module", "F", "torch", "method", "inplace"])
def test_the_signal_equals_the_one_computed_by_hand(rule: str, spelling: str) -> None:
    assert signals(make_net(spelling), rule) == BY_HAND[rule]


def test_the_numbers_by_hand_are_those_of_the_rules_and_differ_from_the_gradient() -> None:
    weights = torch.tensor(FIRST)
    for name, passed in PASSED.items():
        assert (torch.tensor(passed) @ weights).tolist() == BY_HAND[name]
    pixels = torch.tensor(PIXELS)[None, :, None, None].requires_grad_()
    (slope,) = torch.autograd.grad(make_net()(pixels).sum(), pixels)
    assert slope.flatten().tolist() == BY_HAND["gradient"]


@pytest.mark.parametrize("rule", ["guided", "deconv"])
def test_relu6_passes_nothing_above_six_in_the_guided_rule(rule: str) -> None:
    x = torch.tensor([-1.0, 3.0, 7.0], requires_grad=True)
    for relu6 in (nn.ReLU6(), F.relu6):
        with ReluRule(rule):  # type: ignore[arg-type]
            y = relu6(x)
        assert y.tolist() == [0.0, 3.0, 6.0]
        (slope,) = torch.autograd.grad((y * torch.tensor([2.0, -3.0, 4.0])).sum(), x)
        assert slope.tolist() == ([0.0, 0.0, 0.0] if rule == "guided" else [2.0, 0.0, 4.0])


def test_max_pooling_sends_the_signal_back_to_the_maximum() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.MaxPool2d(2)).eval()
    nn.init.ones_(model[0].weight)
    units = find_units(trace_layers(model, (1, 2, 2)), "2")
    image_BCHW = torch.tensor([[[[1.0, 4.0], [3.0, 2.0]]]])
    signal_BCHW = unit_signals(model, units, image_BCHW, FIRST_UNIT_B3, "deconv")
    assert signal_BCHW.tolist() == [[[[0.0, 1.0], [0.0, 0.0]]]]


def test_each_image_gets_the_signal_of_its_own_unit() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU()).eval()
    model[0].weight.data = torch.tensor([2.0, 3.0])[:, None, None, None]
    units = find_units(trace_layers(model, (1, 2, 2)), "0")
    place_B3 = torch.tensor([[0, 0, 1], [1, 1, 0]] * 40)  # more than fit into one piece
    signal_BCHW = unit_signals(model, units, torch.ones(80, 1, 2, 2), place_B3, "guided")
    assert signal_BCHW[:2, 0].tolist() == [[[0.0, 2.0], [0.0, 0.0]], [[0.0, 0.0], [3.0, 0.0]]]
    assert torch.equal(signal_BCHW, signal_BCHW[:2].repeat(40, 1, 1, 1))


@pytest.mark.parametrize(
    ("activation", "word"),
    [(nn.GELU(), "GELU"), (nn.SiLU(), "SiLU"), (nn.Tanh(), "tanh"), (nn.Hardtanh(), "hard tanh")],
)
def test_another_activation_is_refused_by_its_name(activation: nn.Module, word: str) -> None:
    model = nn.Sequential(nn.Conv2d(2, 1, 1), activation).eval()
    units = find_units(trace_layers(model, (2, 1, 1)), "1")
    with pytest.raises(UsageError, match=f"visualize guided: .* this network has {word}; use sal"):
        unit_signals(model, units, torch.ones(1, 2, 1, 1), FIRST_UNIT_B3, "guided")


def test_without_a_rule_the_network_computes_as_ever() -> None:
    x = torch.tensor([1.0, -1.0], requires_grad=True)
    with ReluRule("guided"):
        pass
    (slope,) = torch.autograd.grad((F.relu(x) * torch.tensor([-2.0, 1.0])).sum(), x)
    assert slope.tolist() == [-2.0, 0.0]


def test_under_a_rule_a_network_gives_the_same_scores() -> None:
    model = TorchvisionConfig(architecture="googlenet").build(3, (3, 32, 32)).eval()
    images_BCHW = torch.randn(2, 3, 32, 32)
    with torch.no_grad(), ReluRule("guided"):
        under_rule_BK = model(images_BCHW)
    assert torch.allclose(under_rule_BK, model(images_BCHW))
