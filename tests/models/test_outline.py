import math

import pytest
import torch
from torch import nn

from cnn_train.models import ARCHITECTURES
from cnn_train.models.lenet import LeNet
from cnn_train.models.outline import outline
from cnn_train.models.resnet import ResNet
from cnn_train.models.vgg import VGG

SHAPE = (3, 32, 32)


def test_lenet_is_listed_layer_by_layer_with_its_activations() -> None:
    parts = [(p.name, p.what, p.output_shape) for p in outline(LeNet(10, SHAPE), SHAPE)]
    assert parts == [
        ("conv1", "conv 5×5, ReLU", (6, 28, 28)),
        ("pool1", "max pool", (6, 14, 14)),
        ("conv2", "conv 5×5, ReLU", (16, 10, 10)),
        ("pool2", "max pool", (16, 5, 5)),
        ("fc3", "fully connected, ReLU", (120,)),
        ("fc4", "fully connected, ReLU", (84,)),
        ("fc", "fully connected", (10,)),
    ]


def test_layers_and_blocks_that_repeat_are_counted() -> None:
    vgg = [(p.name, p.count) for p in outline(VGG(10, SHAPE, width=2), SHAPE) if p.count > 1]
    assert vgg == [("conv1_1", 2), ("conv2_1", 2), ("conv3_1", 3), ("conv4_1", 3), ("conv5_1", 3)]
    model = ResNet(10, SHAPE, width=2, blocks_per_stage=(2, 3, 1))
    blocks = [part for part in outline(model, SHAPE) if "block" in part.what]
    assert [(p.name, p.count, p.what) for p in blocks] == [
        ("stage1", 2, "basic block"), ("stage2", 3, "basic block"), ("stage3", 1, "basic block"),
    ]  # fmt: skip


def test_a_pooling_of_ones_own_is_a_part_and_a_block_ends_with_what_it_joins() -> None:
    with torch.device("meta"):
        fastnet, densenet = (
            ARCHITECTURES[name](name=name).build(10, SHAPE) for name in ("fastnet", "densenet121")
        )
    assert [(p.name, p.what) for p in outline(fastnet, SHAPE)][-2:] == [
        ("pool", "global max pool"), ("fc", "fully connected, Scale"),
    ]  # fmt: skip
    shapes = {p.name: (p.count, p.output_shape) for p in outline(densenet, SHAPE)}
    assert shapes["block1"] == (6, (64 + 6 * 32, 32, 32))
    assert shapes["block4"] == (16, (512 + 16 * 32, 4, 4))


@pytest.mark.parametrize("name", ["lenet", "fastnet", "vgg11", "resnet20", "mobilenet_v2"])
def test_the_parts_have_all_parameters_and_end_with_the_scores(name: str) -> None:
    with torch.device("meta"):
        model = ARCHITECTURES[name](name=name).build(10, SHAPE)
    parts = outline(model, SHAPE)
    assert sum(p.parameters for p in parts) == sum(p.numel() for p in model.parameters())
    assert parts[-1].output_shape == (10,)
    assert all(math.prod(p.output_shape) > 0 and p.what and p.count > 0 for p in parts)


def test_parts_stand_in_the_order_in_which_they_run_and_unused_ones_are_left_out() -> None:
    class Crossed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Conv2d(2, 5, 1)
            self.first = nn.Conv2d(3, 2, 3, stride=2)
            self.unused = nn.Linear(2, 2)

        def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.last(self.first(x_BCHW))
            return scores

    parts = outline(Crossed(), SHAPE)
    assert [(p.name, p.what) for p in parts] == [("first", "conv 3×3 / 2"), ("last", "conv 1×1")]
