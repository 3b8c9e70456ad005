"""LeNet-5 on small colour images: two convolutions, two poolings, three fully connected layers.

LeCun et al., "Gradient-based learning applied to document recognition", 1998. What differs by
default: ReLU and max-pooling, which train faster than the paper's tanh and averages (both are
settings), every map of conv2 sees every map of conv1, and the scores are linear.
"""

from typing import Literal

from pydantic import Field
from torch import nn

from .architecture import ArchitectureConfig, require_side
from .initialisation import initialise

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}
POOLINGS: dict[str, type[nn.Module]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class LeNet(nn.Sequential):
    """conv1, act1, pool1, conv2, act2, pool2, flatten, fc3, act3, fc4, act4 and the head ``fc``."""

    def __init__(
        self,
        num_classes: int,
        image_shape: tuple[int, int, int],
        *,
        activation: str = "relu",
        pooling: str = "max",
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        make_activation, make_pooling = ACTIVATIONS[activation], POOLINGS[pooling]
        self.conv1 = nn.Conv2d(channels, 6, kernel_size=5)
        self.act1 = make_activation()
        self.pool1 = make_pooling(2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.act2 = make_activation()
        self.pool2 = make_pooling(2)
        self.flatten = nn.Flatten()
        self.fc3 = nn.Linear(16 * _side_left(height) * _side_left(width), 120)
        self.act3 = make_activation()
        self.fc4 = nn.Linear(120, 84)
        self.act4 = make_activation()
        self.fc = nn.Linear(84, num_classes)
        initialise(self, head=self.fc)


def _side_left(side_px: int) -> int:
    """Return what two rounds of "5×5 without padding, then halve" leave of a side: 32 → 5."""
    return ((side_px - 4) // 2 - 4) // 2


class LeNetConfig(ArchitectureConfig):
    """LeNet-5: two 5×5 convolutions and three fully connected layers (LeCun 1998)."""

    name: Literal["lenet"] = "lenet"
    activation: Literal["relu", "tanh"] = Field(
        default="relu", description="relu, or the paper's tanh"
    )
    pooling: Literal["max", "average"] = Field(
        default="max", description="max, or the paper's average, of each 2×2 block"
    )

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> LeNet:
        """Make the network for images of ``image_shape`` (C, H, W), at least 16×16 pixels."""
        require_side(self.name, image_shape, at_least_px=16)
        return LeNet(num_classes, image_shape, **self.settings)
