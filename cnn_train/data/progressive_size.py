"""Train on small images first: most of what a network learns early shows in few pixels.

The work of a convolution grows with the pixels, so the first epochs cost a half or a third (Howard,
"fastai DAWNBench", 2018; Tan and Le, "EfficientNetV2", 2021).
Shape letters: B minibatch, C channels, H W pixels.
"""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from ..config.base import Config

Side = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class ProgressiveSizeConfig(Config):
    """Settings of the images' side over the training; validation and test images keep theirs."""

    start_px: int = Field(
        default=0, ge=0, description="side of the first epoch's images in px; 0: full size always"
    )
    full_from: float = Field(
        default=0.6, gt=0, le=1, description="part of training after which the side is full"
    )
    step_px: int = Field(
        default=4, ge=1, description="sides in between grow by steps of so many px"
    )
    stages: tuple[Annotated[tuple[Side, Share], Field(strict=False)], ...] = Field(
        default=(),
        strict=False,
        description="instead of the other settings: sides in px, each with the part of training "
        "at which it ends, such as [[20, 0.15], [24, 0.5]]; then the side is full",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "ProgressiveSizeConfig":
        if any(before >= after for (_, before), (_, after) in pairwise(self.stages)):
            raise ValueError("the parts of training in stages must rise")
        if self.stages and self.start_px:
            raise ValueError("start_px and stages exclude each other; leave one of them out")
        return self

    def side_px(self, epoch: int, epochs: int, full_px: int, done: float = 0.0) -> int:
        """Return the side of the images in ``epoch`` (0-based) of ``epochs``.

        It climbs in a straight line, rounded down to whole steps above ``start_px``, or it is that
        of the stage in which the minibatch begins: ``done`` is the part of the epoch before it.
        """
        for side_px, until in self.stages:
            if (epoch + done) / epochs < until:
                return min(side_px, full_px)
        if not 0 < self.start_px < full_px or epoch >= self.full_from * epochs:
            return full_px
        climbed_px = (full_px - self.start_px) * epoch / (self.full_from * epochs)
        return self.start_px + int(climbed_px / self.step_px) * self.step_px


def shrunk_size(height: int, width: int, side_px: int) -> tuple[int, int]:
    """Return (height, width) scaled so that the shorter of them is at most ``side_px``."""
    scale = min(1.0, side_px / min(height, width))
    return round(height * scale), round(width * scale)


def shrink(images_BCHW: Tensor, side_px: int) -> Tensor:
    """Scale float images so that their shorter side has ``side_px``, without aliasing."""
    height, width = images_BCHW.shape[2:]
    size = shrunk_size(height, width, side_px)
    if size == (height, width):
        return images_BCHW
    return F.interpolate(images_BCHW, size, mode="bilinear", antialias=True, align_corners=False)
