"""Histograms of edge directions and a linear classifier, as used before features were learned.

The recipe of Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005:
gradients, a histogram of their directions in each small cell, contrast normalised over blocks of
2×2 overlapping cells. Only the classifier on top is learned.

Shape letters: B minibatch, C channels, H W pixels or cells, D directions, F features, K classes.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from .architecture import ArchitectureConfig
from .initialisation import initialise

SOBEL_X = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
LARGEST_SHARE = 0.2
"""No feature may be more than this of its block's length (Dalal and Triggs' "L2-Hys")."""
EPSILON = 1e-2
"""The length that a block without any edge is divided by, in inputs of unit variance."""


class Sobel(nn.Conv2d):
    """The slope of each channel to the right and downwards: two fixed filters, B(2C)HW."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            channels, 2 * channels, 3, padding=1, padding_mode="replicate", groups=channels,
            bias=False,
        )  # fmt: skip
        del self.weight  # a parameter would be learned
        right = torch.tensor(SOBEL_X) / 8  # a ramp of one unit per pixel has the slope 1
        filters = torch.stack([right, right.T])[:, None].repeat(channels, 1, 1, 1)
        self.register_buffer("weight", filters, persistent=False)


class DirectionVotes(nn.Module):
    """Let each pixel vote for the direction of its edge, with the edge's strength: BDHW.

    The channel with the steepest slope decides for its pixel. A direction has no sign (0° to 180°),
    and a vote is shared by the two nearest directions in proportion to their closeness.
    """

    def __init__(self, num_directions: int) -> None:
        super().__init__()
        self.num_directions = num_directions

    def forward(self, slopes_B2CHW: Tensor) -> Tensor:
        """Return the votes BDHW; a pixel's votes add up to the length of its gradient."""
        right_BCHW, down_BCHW = slopes_B2CHW[:, ::2], slopes_B2CHW[:, 1::2]
        squares_BCHW = right_BCHW.square() + down_BCHW.square()
        square_B1HW, steepest_B1HW = squares_BCHW.max(dim=1, keepdim=True)
        right_B1HW = right_BCHW.gather(1, steepest_B1HW)
        down_B1HW = down_BCHW.gather(1, steepest_B1HW)
        turn_B1HW = torch.atan2(down_B1HW, right_B1HW) * (self.num_directions / math.pi)
        directions_D11 = torch.arange(
            self.num_directions, device=turn_B1HW.device, dtype=turn_B1HW.dtype
        )[:, None, None]
        half = self.num_directions / 2
        apart_BDHW = ((turn_B1HW - directions_D11 + half) % self.num_directions - half).abs()
        # the tiny number keeps the root's own slope finite where an image is flat
        return (1 - apart_BDHW).clamp(min=0) * (square_B1HW + 1e-20).sqrt()


class BlockNormalisation(nn.Module):
    """Divide each cell's histogram by the length of the block around it, for up to four blocks.

    So features tell where edges point, however strong the light is. Those of a block have a mean
    square of one, or less where they are cut off or the block has no edge.
    """

    def forward(self, cells_BDHW: Tensor) -> Tensor:
        """Return BFHW with a place for each block and F = D times the cells of a block."""
        num_rows, num_columns = (min(2, side) for side in cells_BDHW.shape[2:])
        energy_B1HW = cells_BDHW.square().sum(dim=1, keepdim=True)
        mean_B1HW = F.avg_pool2d(energy_B1HW, (num_rows, num_columns), stride=1)
        height, width = mean_B1HW.shape[2:]
        blocks_BFHW = torch.cat(
            [
                cells_BDHW[:, :, row : row + height, column : column + width]
                for row in range(num_rows)
                for column in range(num_columns)
            ],
            dim=1,
        )
        length_B1HW = (num_rows * num_columns * mean_B1HW + EPSILON**2).sqrt()
        cut_BFHW = (blocks_BFHW / length_B1HW).clamp(max=LARGEST_SHARE)
        return F.normalize(cut_BFHW, dim=1, eps=EPSILON) * math.sqrt(cut_BFHW.shape[1])


class HogLinear(nn.Sequential):
    """sobel, votes, cells, blocks, flatten and the head ``fc``, the one layer that learns."""

    def __init__(
        self,
        num_classes: int,
        image_shape: tuple[int, int, int],
        *,
        cell_px: int = 4,
        directions: int = 9,
    ) -> None:
        super().__init__()
        channels, *sides_px = image_shape
        self.sobel = Sobel(channels)
        self.votes = DirectionVotes(directions)
        self.cells = nn.AvgPool2d(cell_px, ceil_mode=True)
        self.blocks = BlockNormalisation()
        self.flatten = nn.Flatten()
        cells = [math.ceil(side_px / cell_px) for side_px in sides_px]
        num_features = directions * math.prod(max(n - 1, 1) * min(n, 2) for n in cells)
        self.fc = nn.Linear(num_features, num_classes)
        initialise(self.fc, head=self.fc)


class HogLinearConfig(ArchitectureConfig):
    """Histograms of edge directions (HOG), fixed, and a linear classifier on them."""

    name: Literal["hog_linear"] = "hog_linear"
    cell_px: int = Field(default=4, ge=1, description="side of the square cells, in px")
    directions: int = Field(default=9, ge=2, description="edge directions told apart in a cell")

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> HogLinear:
        """Make the classifier for images of ``image_shape`` (C, H, W)."""
        return HogLinear(num_classes, image_shape, **self.settings)
