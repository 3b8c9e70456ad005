"""Look at images from elsewhere: every new pixel is taken from a place in the old image.

Shape letters: B images, C channels, H W pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 255


def pixel_places(images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return x (1 × W) and y (H × 1) of the pixels' centres, in px from the image's centre."""
    height, width = images_BCHW.shape[2:]
    x_W = torch.arange(width, device=images_BCHW.device) - (width - 1) / 2
    y_H = torch.arange(height, device=images_BCHW.device) - (height - 1) / 2
    return x_W[None, :], y_H[:, None]


def look_at(images_BCHW: Tensor, x_B1HW: Tensor, y_B1HW: Tensor) -> Tensor:
    """Return uint8 images whose pixels are taken from the given places (px from the centre).

    Between pixels the image is interpolated (bilinear); beyond a border it is reflected.
    Dimensions of x and y that do not matter may have length 1.
    """
    height, width = images_BCHW.shape[2:]
    shape_B1HW = (len(images_BCHW), 1, height, width)
    x_BHW, y_BHW = x_B1HW.expand(shape_B1HW)[:, 0], y_B1HW.expand(shape_B1HW)[:, 0]
    places_BHW2 = torch.stack([x_BHW * (2 / width), y_BHW * (2 / height)], dim=-1)
    pixels = F.grid_sample(
        images_BCHW.float(), places_BHW2, padding_mode="reflection", align_corners=False
    )
    return to_bytes(pixels)


def to_bytes(levels_BCHW: Tensor) -> Tensor:
    """Round levels to whole numbers and clip them to [0, 255], as a camera does."""
    return levels_BCHW.round().clamp(0, LEVELS).to(torch.uint8)
