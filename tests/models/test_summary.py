from typing import Any

import pytest
import torch
from torch import nn

from cnn_train.models import ARCHITECTURES
from cnn_train.models.summary import LayerSummary, summarize

every_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


def by_name(layers: list[LayerSummary]) -> dict[str, LayerSummary]:
    return {layer.name: layer for layer in layers}


@every_architecture
def test_layers_are_listed_in_the_order_in_which_they_run(name: str, build_thin: Any) -> None:
    """With all parameters; test_flops.py compares their work with torch's own counter."""
    model = build_thin(name)
    layers = summarize(model, (3, 32, 32))
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in model.parameters())
    assert layers[0].input_shape == (3, 32, 32) or layers[0].kind == "PixelUnshuffle"
    assert layers[-1].output_shape == (10,)
    assert len({layer.name for layer in layers}) == len(layers)


def test_a_convolution_is_described_as_computed_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, kernel_size=(3, 5), stride=2, padding=(1, 2)))
    assert summarize(model, (3, 32, 20)) == [
        LayerSummary(
            name="0",
            kind="Conv2d",
            input_shape=(3, 32, 20),
            output_shape=(8, 16, 10),
            kernel_px=(3, 5),
            stride_px=(2, 2),
            padding_px=(1, 2),
            parameters=8 * (3 * 3 * 5) + 8,
            macs=(8 * 16 * 10) * (3 * 3 * 5),
            receptive_field_px=5,
        )
    ]


def test_vgg16_carries_the_lectures_layer_names_and_sizes() -> None:
    with torch.device("meta"):
        layers = by_name(summarize(ARCHITECTURES["vgg16"]().build(10, (3, 32, 32)), (3, 32, 32)))
    shapes = {name: layers[name].output_shape for name in ("conv1_1", "conv3_2", "conv5_3")}
    assert shapes == {"conv1_1": (64, 32, 32), "conv3_2": (256, 8, 8), "conv5_3": (512, 2, 2)}
    assert [n for n in layers if n.startswith("conv5")] == ["conv5_1", "conv5_2", "conv5_3"]
    assert {"bn1_1", "relu1_1", "pool1", "pool5", "fc"} <= set(layers)


def test_a_layer_that_runs_twice_is_listed_twice_and_its_parameters_counted_once() -> None:
    layer = nn.Linear(4, 4, bias=False)
    layers = summarize(nn.Sequential(layer, nn.ReLU(), layer), (4,))  # type: ignore[arg-type]
    assert [(layer.parameters, layer.macs) for layer in layers] == [(16, 16), (0, 0), (0, 16)]


def test_every_module_is_back_in_its_mode_and_free_of_hooks_afterwards(build_thin: Any) -> None:
    model = build_thin("resnet20").train()
    model.bn1.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    summarize(model, (3, 32, 32))
    assert model.training and model.conv1.training and not model.bn1.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
