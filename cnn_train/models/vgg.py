"""VGG on small images: five blocks of 3×3 convolutions, each followed by a halving of the map.

Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015.
For 32×32 images the paper's three fully connected layers shrink to one, on the average of the
last map, and every convolution is followed by batch norm: 14.7 million parameters for VGG-16.
"""

from typing import Literal

from pydantic import Field
from torch import nn

from .architecture import ArchitectureConfig, NumMaps, require_side
from .initialisation import initialise

CONVOLUTIONS_PER_BLOCK = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}


class VGG(nn.Sequential):
    """Layers named as in the literature: conv1_1, bn1_1, relu1_1, …, pool1, …, conv5_3, …, fc."""

    def __init__(
        self,
        num_classes: int,
        image_shape: tuple[int, int, int],
        *,
        convolutions_per_block: tuple[int, ...] = CONVOLUTIONS_PER_BLOCK["vgg16"],
        width: int = 64,
        batch_norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = image_shape[0]
        for block, num_convolutions in enumerate(convolutions_per_block, start=1):
            block_width = width * min(2 ** (block - 1), 8)
            for number in range(1, num_convolutions + 1):
                position = f"{block}_{number}"
                bias = not batch_norm  # batch norm has its own
                convolution = nn.Conv2d(channels, block_width, 3, padding=1, bias=bias)
                self.add_module(f"conv{position}", convolution)
                if batch_norm:
                    self.add_module(f"bn{position}", nn.BatchNorm2d(block_width))
                self.add_module(f"relu{position}", nn.ReLU())
                channels = block_width
            self.add_module(f"pool{block}", nn.MaxPool2d(2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        initialise(self, head=self.fc)


class VGGConfig(ArchitectureConfig):
    """VGG: stacks of 3×3 convolutions, with batch norm (Simonyan & Zisserman 2015)."""

    name: Literal["vgg11", "vgg13", "vgg16", "vgg19"] = "vgg16"
    width: NumMaps = Field(
        default=64, description="maps of the first block; the others have 2, 4, 8, 8 times it"
    )
    batch_norm: bool = Field(
        default=True, description="normalise after every convolution (false: as in the paper)"
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of the last features silenced in training"
    )

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> VGG:
        """Make the network for images of ``image_shape`` (C, H, W), at least 32×32 pixels."""
        require_side(self.name, image_shape, at_least_px=32)
        blocks = CONVOLUTIONS_PER_BLOCK[self.name]
        return VGG(num_classes, image_shape, convolutions_per_block=blocks, **self.settings)
