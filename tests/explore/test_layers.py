"""Layers and blocks as a page lists them."""

import pytest
import torch
from thin_networks import build_used
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_train.explore.layers import IMAGE, Layer, group_layers, list_layers, open_at_first

SHAPE = (3, 32, 32)


def by_name(model: nn.Module) -> dict[str, Layer]:
    return {layer.name: layer for layer in list_layers(model, SHAPE)}


def test_lenets_layers_are_told_in_words_with_their_shapes_and_sources() -> None:
    layers = list_layers(build_used("lenet"), SHAPE)
    assert [(one.name, one.kind, one.source) for one in layers[:4]] == [
        ("conv1", "convolution", IMAGE),
        ("act1", "activation", 0),
        ("pool1", "pooling", 1),
        ("conv2", "convolution", 2),
    ]
    assert layers[3].words == "5×5 convolution, 6 → 16 channels, stride 1, padding 0"
    assert layers[2].words == "largest number of each 2×2 cells, stride 2, padding 0"
    named = by_name(build_used("lenet"))
    assert named["flatten"].words == "16×5×5 maps as 400 numbers in a row"
    assert named["fc3"].filter_shape == (16, 5, 5)
    assert named["fc"].num_parameters == 84 * 3 + 3


def test_a_small_network_has_a_block_per_pooling_and_per_sum_and_all_are_open() -> None:
    model = build_used("lenet")
    layers = list_layers(model, SHAPE)
    blocks = group_layers(model, layers)
    assert [block.name for block in blocks] == [
        "conv1 – pool1", "conv2 – pool2", "flatten – act3", "fc4 – act4", "fc",
    ]  # fmt: skip
    assert [block.first for block in blocks] == [0, *(block.last + 1 for block in blocks[:-1])]
    assert open_at_first(layers, blocks) == [0, 1, 2, 3, 4]


def test_a_deep_network_has_its_residual_blocks_and_the_first_and_last_are_open() -> None:
    model = build_used("resnet20")
    layers = list_layers(model, SHAPE)
    blocks = group_layers(model, layers)
    assert [block.name for block in blocks[:3]] == ["conv1 – relu1", "stage1.0", "stage1.1"]
    assert layers[blocks[1].last].kind == "block"
    assert open_at_first(layers, blocks) == [0, 11]


@pytest.mark.parametrize("name", ["resnet20", "wide_resnet", "mobilenet_v2", "densenet121"])
def test_what_reads_a_block_has_it_as_its_source(name: str) -> None:
    layers = list_layers(build_used(name), SHAPE)
    blocks = [i for i, layer in enumerate(layers) if layer.kind == "block"]
    read = {layer.source for layer in layers}
    assert blocks and set(blocks) <= read


class Twice(nn.Module):
    """Adds its input to what one ReLU, used twice, and a convolution make of it, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.relu = nn.ReLU()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return relu(conv(relu(x)) + x)."""
        y_BCHW: Tensor = self.conv(self.relu(x_BCHW))
        y_BCHW += x_BCHW
        result: Tensor = self.relu(y_BCHW)
        return result


def test_a_module_that_runs_twice_is_two_layers_and_a_sum_in_place_is_no_layers_output() -> None:
    layers = by_name(nn.Sequential(Twice(), nn.Flatten(), nn.Linear(3 * 32 * 32, 3)))
    assert list(layers) == ["0.relu #1", "0.conv", "0.relu #2", "0", "1", "2"]
    assert layers["0.relu #2"].source is None
    assert layers["0"].source == IMAGE
    assert [layers[name].units.call for name in ("0.relu #1", "0.relu #2")] == [1, 2]


class Halving(nn.Module):
    """Hides a pooling in its forward, with a tuple beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Pair()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the half of a pair."""
        return self.inner(x_BCHW)[0]


class Pair(nn.Module):
    """Returns no tensor."""

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, None]:
        """Return (half, nothing)."""
        return F.avg_pool2d(x_BCHW, 2), None


def test_what_is_no_map_is_left_out() -> None:
    model = nn.Sequential(Halving(), nn.Dropout(), nn.Flatten(), nn.Linear(3 * 16 * 16, 3))
    assert list(by_name(model)) == ["0", "2", "3"]
    assert torch.equal(model.eval()(torch.zeros(1, *SHAPE)), model(torch.zeros(1, *SHAPE)))
