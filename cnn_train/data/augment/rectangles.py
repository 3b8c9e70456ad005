"""Rectangles inside images: those that a crop keeps, random erasing fills and cutmix pastes.

Shape letters: N training images, T tries, B minibatch, C channels, H W pixels.
"""

import math

import torch
from torch import Tensor

from .change import draw_evenly

TRIES = 10
"""As in torchvision, from whose RandomResizedCrop and RandomErasing the distribution is."""


def draw_rectangles(
    num: int,
    sides: tuple[int, int],
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: torch.Generator,
    *,
    margin: int = 0,
) -> Tensor:
    """Draw rectangles inside an area of ``sides``: int64 4N, two starts and two lengths.

    ``scale``: share of the area, drawn evenly. ``ratio``: first length over second, evenly in the
    logarithm. Each is the first of ten that leaves ``margin`` of both sides; if none does, all
    its numbers are 0.
    """
    area_TN = math.prod(sides) * draw_evenly(TRIES * num, scale, generator).view(TRIES, num)
    logarithms = math.log(ratio[0]), math.log(ratio[1])
    ratio_TN = draw_evenly(TRIES * num, logarithms, generator).view(TRIES, num).exp()
    lengths_2TN = torch.stack(((area_TN * ratio_TN).sqrt(), (area_TN / ratio_TN).sqrt())).round()
    sides_211 = torch.tensor(sides)[:, None, None]
    fits_TN = ((lengths_2TN > 0) & (lengths_2TN <= sides_211 - margin)).all(0)
    chosen_N = fits_TN.int().argmax(0)
    lengths_2N = lengths_2TN[:, chosen_N, torch.arange(num)]
    starts_2N = torch.rand(2, num, generator=generator) * (sides_211[..., 0] - lengths_2N + 1)
    return torch.cat((starts_2N.floor(), lengths_2N)).long() * fits_TN.any(0)


def rectangles(
    images_BCHW: Tensor,
    top_B: Tensor,
    left_B: Tensor,
    heights_B: Tensor | int,
    widths_B: Tensor | int,
) -> Tensor:
    """Say which pixels lie in each image's rectangle, B1HW; parts of it may lie outside."""
    y_H, x_W = (torch.arange(side, device=images_BCHW.device) for side in images_BCHW.shape[2:])
    rows_BH = (y_H >= top_B[:, None]) & (y_H < (top_B + heights_B)[:, None])
    columns_BW = (x_W >= left_B[:, None]) & (x_W < (left_B + widths_B)[:, None])
    return rows_BH[:, None, :, None] & columns_BW[:, None, None, :]
