import pytest
import torch
from torch import Tensor, nn

from cnn_train.errors import UsageError
from cnn_train.models.densenet import DenseNet
from cnn_train.models.fastnet import FastNet
from cnn_train.models.mlp import MLP
from cnn_train.models.resnet import ResNet
from cnn_train.models.summary import trace_layers
from cnn_train.models.torchvision_models import TorchvisionConfig
from cnn_train.models.vgg import VGG
from cnn_train.visualize.layers import Units, default_layers, find_units, unit_maps

SHAPE = (3, 32, 32)


def units_of(model: nn.Module, *layers: str) -> list[Units]:
    runs = trace_layers(model, SHAPE)
    return [find_units(runs, layer) for layer in layers]


@pytest.mark.parametrize(
    ("model", "layer", "measured_at"),
    [
        (VGG(10, SHAPE, width=2), "conv3_2", "relu3_2"),
        (VGG(10, SHAPE, width=2, batch_norm=False), "conv1_1", "relu1_1"),
        (VGG(10, SHAPE, width=2), "pool3", "pool3"),
        (ResNet(10, SHAPE, width=2), "stage1.0.conv1", "stage1.0.relu1"),
        (ResNet(10, SHAPE, width=2), "stage1.0.conv2", "stage1.0.conv2"),  # then a sum
        (DenseNet(10, SHAPE, growth=2), "block1.0.conv1", "block1.0.relu2"),
        (DenseNet(10, SHAPE, growth=2), "block1.0.conv2", "block1.0.conv2"),  # then joined
        (DenseNet(10, SHAPE, growth=2), "block1.0.dropout", "block1.0.dropout"),
        (MLP(10, SHAPE, hidden_sizes=(4, 4)), "fc2", "relu2"),
        (FastNet(10, SHAPE, widths=(2, 2, 2, 2)), "stage1.conv", "stage1.conv"),  # then a pooling
    ],
)
def test_a_convolution_is_measured_behind_the_activation_that_is_its_own(
    model: nn.Module, layer: str, measured_at: str
) -> None:
    (units,) = units_of(model, layer)
    assert units.measured_at == measured_at
    assert units.can_be_dead == ("relu" in measured_at)


def test_an_activation_that_several_layers_share_is_not_taken_for_one_of_theirs() -> None:
    model = TorchvisionConfig(architecture="resnet18").build(10, SHAPE)
    (units,) = units_of(model, "layer1.0.conv1")
    assert units.measured_at == "layer1.0.conv1"
    with pytest.raises(UsageError, match="runs 2 times"):
        units_of(model, "layer1.0.relu")


def test_the_values_are_those_that_the_network_itself_computes() -> None:
    model = VGG(10, SHAPE, width=2).eval()
    images_BCHW = torch.randn(3, *SHAPE)
    first, last = units_of(model, "conv1_1", "conv5_3")
    maps = unit_maps(model, [last, first], images_BCHW)
    outputs = {"": images_BCHW}
    for name, layer in model.named_children():
        outputs[name] = layer(list(outputs.values())[-1])
    assert torch.equal(maps["conv1_1"], outputs["relu1_1"])
    assert torch.equal(maps["conv5_3"], outputs["relu5_3"])
    assert (last.num_channels, last.map_size) == (16, (2, 2))


def test_nothing_behind_the_last_layer_is_computed_and_no_hook_stays() -> None:
    class Unreachable(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert not reached, "computed more than was asked for"
            return x.flatten(1)

    reached: list[bool] = []
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), Unreachable()).eval()
    (units,) = units_of(model, "0")
    reached.append(True)
    assert unit_maps(model, [units], torch.zeros(1, *SHAPE))["0"].shape == (1, 2, 30, 30)
    assert not any(module._forward_hooks for module in model.modules())


def test_channels_last_maps_are_turned_and_flat_features_have_maps_of_one_unit() -> None:
    model = TorchvisionConfig(architecture="convnext_tiny").build(10, SHAPE).eval()
    turned, flat = units_of(model, "features.1.0.block.3", "classifier.2")
    assert (turned.num_channels, turned.map_size) == (384, (32, 32))
    assert (flat.num_channels, flat.map_size) == (10, (1, 1))


def test_an_unknown_layer_is_named_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"--layer conv3_9: .* did you mean 'conv3_"):
        units_of(VGG(10, SHAPE, width=2), "conv3_9")


def test_by_default_the_first_the_middle_and_the_last_convolution_are_shown() -> None:
    assert default_layers(trace_layers(VGG(10, SHAPE, width=2), SHAPE)) == [
        "conv1_1",
        "conv3_1",
        "conv4_3",
    ]  # fmt: skip  (those of conv5 are 2 × 2)
    tiny = nn.Sequential(nn.Conv2d(3, 2, 32), nn.Conv2d(2, 2, 1))
    assert default_layers(trace_layers(tiny, SHAPE)) == ["0", "1"]
    perceptron = nn.Sequential(nn.Flatten(), nn.Linear(3072, 4), nn.ReLU(), nn.Linear(4, 2))
    assert default_layers(trace_layers(perceptron, SHAPE)) == ["1", "3"]
