"""Settings of single architectures that change what is built."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from cnn_train.errors import ConfigError
from cnn_train.models.fastnet import FastNetConfig
from cnn_train.models.lenet import LeNetConfig
from cnn_train.models.mlp import MLPConfig
from cnn_train.models.mobilenet_v2 import MobileNetV2Config
from cnn_train.models.resnet import CifarResNetConfig, ResNetConfig
from cnn_train.models.vgg import VGGConfig
from cnn_train.models.wide_resnet import WideResNetConfig

CIFAR = (3, 32, 32)


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def kinds(model: nn.Module) -> set[type[nn.Module]]:
    return {type(module) for module in model.modules()}


def test_resnet20_with_projections_has_the_literatures_count() -> None:
    assert num_parameters(CifarResNetConfig(shortcut="projection").build(10, CIFAR)) == 272_474


def test_a_padded_shortcut_thins_pixels_and_adds_empty_maps() -> None:
    shortcut = CifarResNetConfig(width=2).build(10, CIFAR).stage2[0].shortcut
    x_BCHW = torch.randn(1, 2, 4, 4)
    y_BCHW = shortcut(x_BCHW)
    assert torch.equal(y_BCHW[:, 1:3], x_BCHW[:, :, ::2, ::2])
    assert not y_BCHW[:, [0, 3]].any()


@pytest.mark.parametrize(
    "config",
    [
        CifarResNetConfig(name="resnet20", width=4, zero_init_residual=True),
        ResNetConfig(name="resnet50", width=4, zero_init_residual=True),
    ],
    ids=lambda config: config.name,
)
def test_zero_initialised_blocks_start_as_their_shortcut(config: Any) -> None:
    block = config.build(10, CIFAR).stage1[1]
    x_BCHW = torch.rand(2, block.conv1.in_channels, 8, 8)
    assert torch.equal(block(x_BCHW), x_BCHW)


def test_wide_resnet_depth_and_width_give_the_papers_sizes() -> None:
    with torch.device("meta"):
        sizes = [
            num_parameters(WideResNetConfig(depth=depth, width=width).build(10, CIFAR))
            for depth, width in ((16, 8), (40, 4), (40, 1))
        ]
    assert [round(size / 1e6, 1) for size in sizes] == [11.0, 8.9, 0.6]  # table 4 of the paper


@pytest.mark.parametrize(("depth", "nearest"), [(20, 22), (29, 28), (12, 10)])
def test_wide_resnet_refuses_depths_that_leave_a_remainder(depth: int, nearest: int) -> None:
    with pytest.raises(ValidationError, match=f"nearest: {nearest}"):
        WideResNetConfig(depth=depth)


def test_vgg_without_batch_norm_has_biases_instead() -> None:
    model = VGGConfig(name="vgg11", width=4, batch_norm=False).build(10, CIFAR)
    assert nn.BatchNorm2d not in kinds(model)
    assert model.conv1_1.bias is not None


def test_lenet_can_be_the_papers_tanh_and_average() -> None:
    model = LeNetConfig(activation="tanh", pooling="average").build(10, CIFAR)
    assert {nn.Tanh, nn.AvgPool2d} <= kinds(model)
    assert not {nn.ReLU, nn.MaxPool2d} & kinds(model)


def test_an_mlp_without_hidden_layers_is_the_linear_classifier() -> None:
    assert num_parameters(MLPConfig(hidden_sizes=[]).build(10, CIFAR)) == 30_730


@pytest.mark.parametrize("hidden_sizes", [[0], [1.5], ["64"], 64])
def test_hidden_sizes_are_positive_whole_numbers(hidden_sizes: Any) -> None:
    with pytest.raises(ValidationError, match="hidden_sizes"):
        MLPConfig(hidden_sizes=hidden_sizes)


@pytest.mark.parametrize("width_multiplier", [0.35, 0.5, 0.75, 1.4])
def test_mobilenets_maps_are_multiples_of_8(width_multiplier: float) -> None:
    model = MobileNetV2Config(width_multiplier=width_multiplier).build(10, CIFAR)
    maps = {module.out_channels for module in model.modules() if isinstance(module, nn.Conv2d)}
    assert all(count % 8 == 0 for count in maps)


@pytest.mark.parametrize(
    ("settings", "last_map_px"),
    [
        ({}, 2),
        ({"pools": [2, 2, 2, 1]}, 4),
        ({"stem": "strided", "stem_kernel_px": 4, "pools": [1, 1, 2, 2]}, 4),
        ({"stem": "strided", "stem_kernel_px": 6, "pools": [1, 2, 2, 2]}, 2),
        ({"stem": "space_to_depth", "pools": [1, 2, 2, 2]}, 2),
    ],
    ids=str,
)
def test_fastnets_stem_and_pools_decide_the_last_maps_size(
    settings: dict[str, Any], last_map_px: int
) -> None:
    model = FastNetConfig(widths=[4, 4, 4, 8], **settings).build(10, CIFAR)
    shapes = []
    model.stage4.register_forward_hook(lambda _m, _i, y_BCHW: shapes.append(y_BCHW.shape[1:]))
    model(torch.randn(2, *CIFAR))
    assert shapes == [(8, last_map_px, last_map_px)]


@pytest.mark.parametrize(
    ("activation", "kind"), [("relu", nn.ReLU), ("gelu", nn.GELU), ("silu", nn.SiLU)]
)
def test_fastnets_activation_is_the_one_asked_for(activation: Any, kind: type[nn.Module]) -> None:
    assert kind in kinds(FastNetConfig(activation=activation).build(10, CIFAR))


def test_fastnets_residual_setting_adds_a_stages_input() -> None:
    def build(residual: bool) -> nn.Module:
        torch.manual_seed(0)
        settings = {"widths": [4], "extra_convolutions": [1], "pools": [2], "residual": residual}
        return FastNetConfig(**settings).build(10, CIFAR).eval().stage1

    images_BCHW = torch.randn(2, *CIFAR)
    with_input, without = build(residual=True), build(residual=False)
    input_BCHW = nn.Sequential(*list(without)[:-1])(images_BCHW)
    torch.testing.assert_close(with_input(images_BCHW), input_BCHW + without(images_BCHW))


def test_fastnets_scores_are_scaled_by_the_constant() -> None:
    model = FastNetConfig(score_scale=0.25).build(10, CIFAR).eval()
    images_BCHW = torch.randn(2, *CIFAR)
    torch.testing.assert_close(
        model(images_BCHW), 0.25 * nn.Sequential(*list(model)[:-1])(images_BCHW)
    )


def test_fastnet_needs_one_entry_per_stage() -> None:
    with pytest.raises(ValidationError, match="one entry per stage each, not 2, 4 and 4"):
        FastNetConfig(widths=[8, 8])


def test_blocks_of_pixels_need_even_sides() -> None:
    with pytest.raises(ConfigError, match="even sides, not 33×32"):
        FastNetConfig(stem="space_to_depth", pools=[1, 2, 2, 2]).build(10, (3, 33, 32))
