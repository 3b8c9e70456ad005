"""The receptive fields against hand counts, the literature, and what gradients reach."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_train.models import ARCHITECTURES
from cnn_train.models.summary import is_layer, summarize, trace_layers
from cnn_train.models.torchvision_models import TorchvisionConfig


def fields_px(model: nn.Module, image_shape: tuple[int, int, int]) -> dict[str, int]:
    return {layer.name: layer.receptive_field_px for layer in summarize(model, image_shape)}


class Apply(nn.Module):
    """A layer that computes any function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def make_positive_and_linear(model: nn.Module) -> nn.Module:
    """Let every path through the network contribute, so that no gradient vanishes or cancels."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size))
            elif isinstance(child, nn.ReLU | nn.ReLU6 | nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
            elif isinstance(child, nn.Conv2d):
                nn.init.constant_(child.weight, 1 / child.weight[0].numel())
    return model.double().eval()


def extents_reached_px(
    model: nn.Module, image_shape: tuple[int, int, int]
) -> dict[str, tuple[int, int]]:
    """Measure convolutions' fields: first column and width of what reaches a middle unit."""
    images_BCHW = torch.ones(1, *image_shape, dtype=torch.float64, requires_grad=True)
    outputs: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _i, y, name=name: outputs.update({name: y}))
    model(images_BCHW)
    extents = {}
    for name, output_BCHW in list(outputs.items())[::-3]:  # a third of them, the last included
        middle = output_BCHW[0, 0, output_BCHW.shape[2] // 2, output_BCHW.shape[3] // 2]
        (gradient,) = torch.autograd.grad(middle, images_BCHW, retain_graph=True)
        reached_W = gradient[0].abs().sum(dim=(0, 1)).nonzero()
        extents[name] = (int(reached_W.min()), int(reached_W.max() - reached_W.min()) + 1)
    return extents


def test_stacked_3x3_convolutions_see_3_5_and_7_pixels() -> None:
    model = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)))
    assert list(fields_px(model, (3, 32, 32)).values()) == [3, 5, 7]


@pytest.mark.parametrize(
    ("name", "width_px", "settings"),
    [
        ("vgg16", 288, {"width": 1, "batch_norm": False}),
        ("resnet20", 128, {"width": 2}),
        ("resnet20", 128, {"width": 2, "shortcut": "projection"}),
        ("resnet18", 160, {"width": 1}),
        ("resnet50", 160, {"width": 1}),
        ("wide_resnet", 96, {"depth": 10, "width": 1}),
        ("mobilenet_v2", 192, {"width_multiplier": 0.1}),
        ("fastnet", 160, {"widths": (4, 4, 4, 4)}),
        ("fastnet", 224, {"widths": (4, 4, 4, 4), "stem": "strided", "stem_kernel_px": 6}),
    ],
    ids=str,
)
def test_fields_equal_the_extent_that_gradients_reach(
    name: str, width_px: int, settings: dict[str, Any]
) -> None:
    image_shape = (1, 32, width_px)  # wide enough; its height only costs time
    model = ARCHITECTURES[name](name=name, **settings).build(2, image_shape)
    make_positive_and_linear(model)
    runs = {run.name: run for run in trace_layers(model, image_shape)}
    for layer, (first_px, extent_px) in extents_reached_px(model, image_shape).items():
        assert extent_px < width_px, f"{layer} needs a larger image for a fair comparison"
        field, middle = runs[layer].field, runs[layer].output.shape[3] // 2
        assert field.size_px[1] == extent_px, layer
        assert field.start_px[1] + middle * field.jump_px[1] == first_px, layer


def test_vgg16_sees_what_the_literature_says() -> None:
    with torch.device("meta"):
        model = ARCHITECTURES["vgg16"]().build(10, (3, 224, 224))
    fields = fields_px(model, (3, 224, 224))
    published = {"conv1_2": 5, "pool1": 6, "conv3_3": 40, "conv5_3": 196, "pool5": 212}
    assert {name: fields[name] for name in published} == published


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_a_fully_connected_layer_sees_the_whole_image(name: str) -> None:
    assert fields_px(ARCHITECTURES[name]().build(10, (3, 40, 24)), (3, 40, 24))["fc"] == 40


def test_flattening_leaves_every_unit_what_it_saw_and_the_next_layer_sees_all() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 5), nn.Flatten(), nn.Linear(2 * 28 * 28, 3))
    assert list(fields_px(model, (3, 32, 32)).values()) == [5, 5, 32]


def test_the_mean_over_a_map_sees_it_whole_however_it_is_written() -> None:
    conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    function = nn.Sequential(conv, Apply(lambda x: x.mean(dim=(2, 3))), nn.Linear(4, 2))
    layers = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for model in (function, layers):
        assert fields_px(model, (3, 32, 32))["2"] == 3 + (16 - 1) * 2


def test_dilation_widens_the_window_and_cropping_does_not() -> None:
    crop = Apply(lambda x: x[:, :, 2:-2, 2:-2])
    model = nn.Sequential(nn.Conv2d(1, 1, 3, dilation=4), crop, nn.Conv2d(1, 1, 3))
    assert fields_px(model, (1, 32, 32)) == {"0": 9, "1": 9, "2": 11}
    assert trace_layers(model, (1, 32, 32))[2].field.start_px == (2, 2)


def test_padding_starts_a_field_before_the_image_however_it_is_written() -> None:
    conv, pad = (
        nn.Conv2d(1, 1, 3, stride=2, padding=(1, 0)),
        Apply(lambda x: F.pad(x, (3, 0, 1, 1))),
    )
    model = nn.Sequential(conv, pad, nn.Conv2d(1, 1, 3))
    fields = [run.field for run in trace_layers(model, (1, 32, 32))]
    padded_px = (-1 - 2, 0 - 3 * 2)
    assert [field.start_px for field in fields] == [(-1, 0), padded_px, padded_px]
    assert fields[2].size_px == (7, 7)


def test_a_linear_layer_on_channels_last_maps_acts_on_each_pixel_by_itself() -> None:
    model = TorchvisionConfig(architecture="convnext_tiny").build(10, (3, 32, 32)).to("meta")
    layers = [layer for layer in summarize(model, (3, 32, 32)) if layer.name.startswith("features")]
    first_block = {
        layer.name.removeprefix("features.1.0.block."): layer.receptive_field_px
        for layer in layers
        if layer.name.startswith("features.1.0.block.")
    }
    assert set(first_block.values()) == {3 + 7 - 1}
    assert {"0", "2", "3", "5"} <= set(first_block)


def test_a_tensor_that_ignores_the_image_has_no_say() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)
            self.gain = nn.Parameter(torch.ones(1, 32, 32))

        def forward(self, images_BCHW: Tensor) -> Tensor:
            return self.gain * self.conv(images_BCHW)

    assert is_layer(Scaled())
    assert fields_px(Scaled(), (1, 32, 32)) == {"conv": 3, "": 3}
