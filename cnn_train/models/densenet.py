"""DenseNet-BC on small images: every layer sees the maps of all layers before it in its block.

Huang et al., "Densely connected convolutional networks", 2017. The 7×7 stride-2 stem and first
pooling of the ImageNet version become one 3×3 convolution: 6,956,298 parameters for DenseNet-121.

Shape letters: B minibatch, C channels, H W pixels.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from .architecture import ArchitectureConfig, NumMaps, require_side
from .initialisation import initialise

LAYERS_PER_BLOCK = (6, 12, 24, 16)  # table 1
BOTTLENECK_FACTOR = 4  # a 1×1 convolution first reduces to 4 · growth maps (the B of DenseNet-BC)


class DenseLayer(nn.Module):
    """norm, ReLU, 1×1, norm, ReLU, 3×3: ``growth`` new maps, appended to the input's."""

    def __init__(self, in_channels: int, growth: int, dropout: float) -> None:
        super().__init__()
        hidden = BOTTLENECK_FACTOR * growth
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(hidden)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(hidden, growth, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the input's maps followed by the new ones."""
        new_BCHW = self.conv1(self.relu1(self.bn1(x_BCHW)))
        new_BCHW = self.dropout(self.conv2(self.relu2(self.bn2(new_BCHW))))
        return torch.cat((x_BCHW, new_BCHW), dim=1)


class Transition(nn.Sequential):
    """norm, ReLU, 1×1 to half the maps (the C of DenseNet-BC), average of each 2×2."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(in_channels, in_channels // 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2)


class DenseNet(nn.Sequential):
    """conv1, block1, transition1, block2, …, bn, relu, pool, flatten, fc."""

    def __init__(
        self,
        num_classes: int,
        image_shape: tuple[int, int, int],
        *,
        growth: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = 2 * growth
        self.conv1 = nn.Conv2d(image_shape[0], channels, 3, padding=1, bias=False)
        for number, num_layers in enumerate(LAYERS_PER_BLOCK, start=1):
            if number > 1:
                self.add_module(f"transition{number - 1}", Transition(channels))
                channels //= 2
            block = nn.Sequential()
            for _ in range(num_layers):
                block.append(DenseLayer(channels, growth, dropout))
                channels += growth
            self.add_module(f"block{number}", block)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)
        initialise(self, head=self.fc)


class DenseNetConfig(ArchitectureConfig):
    """DenseNet: every layer sees all earlier maps of its block (Huang et al. 2017)."""

    name: Literal["densenet121"] = "densenet121"
    growth: NumMaps = Field(default=32, description="maps that each layer adds")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of each layer's new maps silenced in training"
    )

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> DenseNet:
        """Make the network for images of ``image_shape`` (C, H, W), at least 8×8 pixels."""
        require_side(self.name, image_shape, at_least_px=8)
        return DenseNet(num_classes, image_shape, **self.settings)
