"""The counts of the slide, and those of real torch layers at sizes that fit."""

import pytest
from torch import nn

from cnn_train.errors import UsageError
from cnn_train.lecture.parameters import compare_layers


def count(layer: nn.Module) -> tuple[int, int]:
    sizes = {name: parameter.numel() for name, parameter in layer.named_parameters()}
    return sizes["weight"], sizes["bias"]


def test_the_slides_counts() -> None:
    fully, locally, shared = compare_layers(200, 1, 40_000, 10, 100)
    assert (fully.weights, fully.biases) == (1_600_000_000, 40_000)
    assert (locally.weights, shared.weights) == (4_000_000, 10_000)
    assert fully.bytes == 4 * 1_600_040_000


@pytest.mark.parametrize(("size", "channels", "patch"), [(6, 1, 3), (7, 3, 2), (5, 2, 5)])
def test_the_counts_are_those_of_torch_layers(size: int, channels: int, patch: int) -> None:
    places = (size - patch + 1) ** 2  # one unit where each whole patch lies
    fully, locally, shared = compare_layers(size, channels, places, patch, 4)
    assert (fully.weights, fully.biases) == count(nn.Linear(size * size * channels, places))
    assert (shared.weights, shared.biases) == count(nn.Conv2d(channels, 4, patch))
    inputs = channels * patch * patch
    own_filters = nn.Conv1d(places * inputs, places, 1, groups=places)  # a group per unit
    assert (locally.weights, locally.biases) == count(own_filters)


def test_a_patch_larger_than_the_image_is_refused() -> None:
    with pytest.raises(UsageError, match="5×5 pixels do not fit into an image of 4×4"):
        compare_layers(4, 1, 10, 5, 1)
