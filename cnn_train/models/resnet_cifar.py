"""The residual networks that were made for CIFAR-10: 20 to 110 layers of 16, 32 and 64 maps.

He et al., "Deep residual learning for image recognition", 2016, section 4.2. Shortcuts have no
parameters by default (option A), which gives the paper's 0.27 million for ResNet-20: 269,722
(272,474 with option B).
"""

from typing import Literal

from pydantic import Field

from .architecture import MOST_MAPS, ArchitectureConfig, require_side
from .resnet import BasicBlock, ResNet


class CifarResNetConfig(ArchitectureConfig):
    """ResNet of the CIFAR family: three stages of 16, 32 and 64 maps (He et al. 2016)."""

    name: Literal["resnet20", "resnet32", "resnet44", "resnet56", "resnet110"] = "resnet20"
    width: int = Field(
        default=16,
        gt=0,
        le=MOST_MAPS,
        description="maps of the first stage; the others have 2 and 4 times it",
    )
    shortcut: Literal["pad", "projection"] = Field(
        default="pad",
        description="where shapes change: pad with zeros (option A) or project by 1×1 (option B)",
    )
    zero_init_residual: bool = Field(
        default=False, description="start every block as the identity (last norm's weights 0)"
    )

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> ResNet:
        """Build the network for images of ``image_shape`` (C, H, W), at least 4×4 pixels."""
        require_side(self.name, image_shape, at_least_px=4)
        depth = int(self.name.removeprefix("resnet"))
        return ResNet(
            num_classes,
            image_shape,
            block=BasicBlock,
            blocks_per_stage=((depth - 2) // 6,) * 3,
            width=self.width,
            shortcut=self.shortcut,
            zero_init_residual=self.zero_init_residual,
        )
