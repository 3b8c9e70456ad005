"""MobileNetV2 on small images: narrow blocks with wide depthwise convolutions inside.

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018. The paper halves
the map five times from 224 pixels; here the stem and the second group keep their resolution, so
that 32 pixels end as 4. Parameters do not depend on strides: 2,236,682 for ten classes.

Shape letters: B minibatch, C channels, H W pixels.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from .architecture import ArchitectureConfig, require_side
from .initialisation import initialise

# expansion, output maps, blocks, stride of the first block (table 2; stride of row 2: 1, not 2)
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """Expand by 1×1, filter each map by 3×3, project by 1×1 without activation."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = expansion * in_channels
        self.expand = nn.Sequential()
        if expansion > 1:
            self.expand = _convolution(in_channels, hidden, kernel_size=1)
        self.filter = _convolution(hidden, hidden, kernel_size=3, stride=stride, groups=hidden)
        self.project = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the block's output, plus its input where shapes agree."""
        y_BCHW: Tensor = self.bn(self.project(self.filter(self.expand(x_BCHW))))
        return x_BCHW + y_BCHW if self.adds_input else y_BCHW


class MobileNetV2(nn.Sequential):
    """stem, group1 … group7, last, pool, flatten, dropout, fc."""

    def __init__(
        self,
        num_classes: int,
        image_shape: tuple[int, int, int],
        *,
        width_multiplier: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = _multiple_of_8(32 * width_multiplier)
        self.stem = _convolution(image_shape[0], channels, kernel_size=3)
        for number, (expansion, maps, num_blocks, first_stride) in enumerate(GROUPS, start=1):
            blocks = nn.Sequential()
            for index in range(num_blocks):
                stride = first_stride if index == 0 else 1
                out_channels = _multiple_of_8(maps * width_multiplier)
                blocks.append(InvertedResidual(channels, out_channels, stride, expansion))
                channels = out_channels
            self.add_module(f"group{number}", blocks)
        features = _multiple_of_8(1280 * max(1.0, width_multiplier))
        self.last = _convolution(channels, features, kernel_size=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(features, num_classes)
        initialise(self, head=self.fc)


def _convolution(
    in_channels: int, out_channels: int, *, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Make conv, norm and ReLU6 that keep the map's size (or halve it with stride 2)."""
    layers = nn.Sequential()
    layers.conv = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False
    )
    layers.bn = nn.BatchNorm2d(out_channels)
    layers.relu = nn.ReLU6()
    return layers


def _multiple_of_8(channels: float) -> int:
    """Round to a multiple of 8, at least 8, and never more than a tenth below ``channels``."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


class MobileNetV2Config(ArchitectureConfig):
    """MobileNetV2: inverted residuals of depthwise convolutions (Sandler et al. 2018)."""

    name: Literal["mobilenet_v2"] = "mobilenet_v2"
    width_multiplier: float = Field(
        default=1.0, gt=0, le=100, description="factor on the number of maps of every layer"
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of the last features silenced in training"
    )

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> MobileNetV2:
        """Make the network for images of ``image_shape`` (C, H, W), at least 8×8 pixels."""
        require_side(self.name, image_shape, at_least_px=8)
        return MobileNetV2(num_classes, image_shape, **self.settings)
