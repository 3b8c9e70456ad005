"""Wide residual networks: few layers, many maps, normalisation before each convolution.

Zagoruyko & Komodakis, "Wide residual networks", 2016; WRN-28-10 has 36,479,194 parameters.

Shape letters: B minibatch, C channels, H W pixels.
"""

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from .architecture import MOST_LAYERS, ArchitectureConfig, NumMaps, require_side
from .initialisation import initialise


class WideBlock(nn.Module):
    """norm, ReLU, 3×3, norm, ReLU, dropout, 3×3, added to the input.

    Where shapes change, a 1×1 convolution of the first norm and ReLU takes the input's place.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu2 = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.projection: nn.Conv2d | None = None
        if stride != 1 or in_channels != out_channels:
            self.projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return shortcut + branch."""
        active_BCHW = self.relu1(self.bn1(x_BCHW))
        y_BCHW: Tensor = self.relu2(self.bn2(self.conv1(active_BCHW)))
        y_BCHW = self.conv2(self.dropout(y_BCHW))
        shortcut_BCHW = x_BCHW if self.projection is None else self.projection(active_BCHW)
        return y_BCHW + shortcut_BCHW


class WideResNet(nn.Sequential):
    """conv1, stage1, stage2, stage3, bn, relu, pool, flatten, fc."""

    def __init__(
        self,
        num_classes: int,
        image_shape: tuple[int, int, int],
        *,
        depth: int = 28,
        width: int = 10,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(image_shape[0], 16, 3, padding=1, bias=False)
        channels = 16
        for stage, stage_channels in enumerate((16 * width, 32 * width, 64 * width)):
            blocks = nn.Sequential()
            for index in range((depth - 4) // 6):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(WideBlock(channels, stage_channels, stride, dropout))
                channels = stage_channels
            self.add_module(f"stage{stage + 1}", blocks)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)
        initialise(self, head=self.fc)


class WideResNetConfig(ArchitectureConfig):
    """Wide ResNet: shallower and wider residual stages (Zagoruyko & Komodakis 2016)."""

    name: Literal["wide_resnet"] = "wide_resnet"
    depth: int = Field(
        default=28,
        ge=10,
        le=MOST_LAYERS,
        description="layers with weights on the longest path: 6 n + 4",
    )
    width: NumMaps = Field(
        default=10, description="how many times wider than 16, 32 and 64 maps the stages are"
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share silenced between a block's convolutions"
    )

    @model_validator(mode="after")
    def _depth_fills_three_equal_stages(self) -> Self:
        if (self.depth - 4) % 6:
            nearest = 6 * round((self.depth - 4) / 6) + 4
            raise ValueError(f"depth must be 6 n + 4 (10, 16, 22, 28, 40, …); nearest: {nearest}")
        return self

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> WideResNet:
        """Make the network for images of ``image_shape`` (C, H, W), at least 4×4 pixels."""
        require_side(self.name, image_shape, at_least_px=4)
        return WideResNet(num_classes, image_shape, **self.settings)
