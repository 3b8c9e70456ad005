"""Residual networks: the four-stage ones (resnet18, 34, 50) and those made for CIFAR-10.

He et al., "Deep residual learning for image recognition", 2016. The paper's 7×7 stride-2 stem and
first pooling, made for 224×224 photographs, become one 3×3 convolution of stride 1: ResNet-18
then has 11,173,962 parameters for ten classes. The CIFAR family (section 4.2) has 20 to 110 layers
of 16, 32 and 64 maps. Its shortcuts have no parameters by default (option A), which gives the
paper's 0.27 million for ResNet-20: 269,722 (272,474 with option B).

Shape letters: B minibatch, C channels, H W pixels.
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from .architecture import ArchitectureConfig, NumMaps, require_side
from .initialisation import initialise


class PadShortcut(nn.Module):
    """Option A: every ``stride``-th pixel, and zeros for the maps that the input lacks."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        missing = out_channels - in_channels
        self.channel_padding = (0, 0, 0, 0, missing // 2, missing - missing // 2)
        self.stride = stride

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the thinned and padded input."""
        return F.pad(x_BCHW[:, :, :: self.stride, :: self.stride], self.channel_padding)


def make_shortcut(in_channels: int, out_channels: int, stride: int, kind: str) -> nn.Module:
    """Make the identity where shapes agree, else option A (``pad``) or B (``projection``)."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if kind == "pad":
        return PadShortcut(in_channels, out_channels, stride)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
    )


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = make_shortcut(in_channels, width, stride, shortcut)
        self.relu2 = nn.ReLU()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return relu(branch(x) + shortcut(x))."""
        y_BCHW = self.relu1(self.bn1(self.conv1(x_BCHW)))
        y_BCHW = self.bn2(self.conv2(y_BCHW))
        output_BCHW: Tensor = self.relu2(y_BCHW + self.shortcut(x_BCHW))
        return output_BCHW


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut; the last one widens four times."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        out_channels = self.expansion * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.shortcut = make_shortcut(in_channels, out_channels, stride, shortcut)
        self.relu3 = nn.ReLU()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return relu(branch(x) + shortcut(x))."""
        y_BCHW = self.relu1(self.bn1(self.conv1(x_BCHW)))
        y_BCHW = self.relu2(self.bn2(self.conv2(y_BCHW)))
        y_BCHW = self.bn3(self.conv3(y_BCHW))
        output_BCHW: Tensor = self.relu3(y_BCHW + self.shortcut(x_BCHW))
        return output_BCHW


class ResNet(nn.Sequential):
    """conv1, bn1, relu1, stage1, stage2, …, pool, flatten, fc; each stage but the first halves.

    ``zero_init_residual`` silences every branch at first (Goyal et al. 2017), which eases very deep
    networks.
    """

    def __init__(
        self,
        num_classes: int,
        image_shape: tuple[int, int, int],
        *,
        block: type[BasicBlock] | type[Bottleneck] = BasicBlock,
        blocks_per_stage: tuple[int, ...] = (2, 2, 2, 2),
        width: int = 64,
        shortcut: str = "projection",
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(image_shape[0], width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        channels = width
        for stage, num_blocks in enumerate(blocks_per_stage):
            blocks = nn.Sequential()
            for index in range(num_blocks):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(block(channels, width * 2**stage, stride, shortcut))
                channels = block.expansion * width * 2**stage
            self.add_module(f"stage{stage + 1}", blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)
        initialise(self, head=self.fc)
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, BasicBlock | Bottleneck):
                    last_norm = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                    nn.init.zeros_(last_norm.weight)


ZeroInit = Annotated[
    bool, Field(description="start every block as the identity (last norm's weights 0)")
]


class ResNetConfig(ArchitectureConfig):
    """ResNet with four stages and a 3×3 stem for small images (He et al. 2016)."""

    name: Literal["resnet18", "resnet34", "resnet50"] = "resnet18"
    width: NumMaps = Field(
        default=64, description="maps of the first stage; each further stage doubles it"
    )
    zero_init_residual: ZeroInit = False

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> ResNet:
        """Make the network for images of ``image_shape`` (C, H, W), at least 8×8 pixels."""
        require_side(self.name, image_shape, at_least_px=8)
        return ResNet(
            num_classes,
            image_shape,
            block=Bottleneck if self.name == "resnet50" else BasicBlock,
            blocks_per_stage=(2, 2, 2, 2) if self.name == "resnet18" else (3, 4, 6, 3),
            **self.settings,
        )


class CifarResNetConfig(ArchitectureConfig):
    """ResNet of the CIFAR family: three stages of 16, 32 and 64 maps (He et al. 2016)."""

    name: Literal["resnet20", "resnet32", "resnet44", "resnet56", "resnet110"] = "resnet20"
    width: NumMaps = Field(
        default=16, description="maps of the first stage; the others have 2 and 4 times it"
    )
    shortcut: Literal["pad", "projection"] = Field(
        default="pad",
        description="where shapes change: pad with zeros (option A) or project by 1×1 (option B)",
    )
    zero_init_residual: ZeroInit = False

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> ResNet:
        """Make the network for images of ``image_shape`` (C, H, W), at least 4×4 pixels."""
        require_side(self.name, image_shape, at_least_px=4)
        blocks = (int(self.name.removeprefix("resnet")) - 2) // 6
        return ResNet(num_classes, image_shape, blocks_per_stage=(blocks,) * 3, **self.settings)
