"""The layer that fine-tuning leaves fresh is the one that gives the scores, in every network."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from cnn_train.models import ARCHITECTURES
from cnn_train.models.head import head_tensors
from cnn_train.models.summary import summarize
from cnn_train.models.torchvision_models import TorchvisionConfig

NUM_CLASSES = 7


def require_head_is_last(model: nn.Module, shape: tuple[int, int, int]) -> None:
    """Compare with a forward pass: its last layer with parameters, with one output per class."""
    last = [layer for layer in summarize(model, shape) if layer.parameters][-1]
    layer = model.get_submodule(last.name)
    assert head_tensors(model) == {f"{last.name}.{own}" for own in layer.state_dict()}
    assert last.output_shape[0] == NUM_CLASSES


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_head_is_the_last_layer_with_weights_that_an_image_passes(
    name: str, build_thin: Callable[..., nn.Module]
) -> None:
    model = build_thin(name, num_classes=NUM_CLASSES, image_shape=(3, 32, 32))
    require_head_is_last(model, (3, 32, 32))


@pytest.mark.parametrize(
    "architecture", ["googlenet", "squeezenet1_1", "convnext_tiny", "regnet_y_400mf", "alexnet"]
)
def test_the_head_of_torchvisions_networks_is_found_too(architecture: str) -> None:
    """squeezenet's head is a convolution, whose maps are averaged into scores."""
    with torch.device("meta"):
        model = TorchvisionConfig(architecture=architecture).build(NUM_CLASSES, (3, 64, 64))
    require_head_is_last(model, (3, 64, 64))
