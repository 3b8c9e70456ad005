"""Random changes that leave an image's class as it is, drawn for each image on its own.

Random numbers come from the CPU, so that every device sees the same changes; pixels are worked on
where they lie, a whole minibatch at once and without waiting for the device.
Shape letters: B minibatch, C channels, H W pixels.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ..config.base import Config
from ..machine.device import copy_to
from ..machine.processes import Part

Flip = Literal["none", "random", "alternating"]
Augmentation = Callable[..., Tensor]


class AugmentConfig(Config):
    """Settings of the changes made to each training image."""

    flip: Flip = Field(
        default="random",
        description="mirror left-right: none; random: half the images of every epoch; "
        "alternating: each image in every second epoch",
    )
    translate: int = Field(
        default=4, ge=0, description="largest shift up, down, left or right in px; borders reflect"
    )
    cutout: int = Field(
        default=0, ge=0, description="side in px of a square filled with the mean colour; 0: none"
    )

    def build(self) -> Augmentation:
        """Return :func:`augment` with these settings."""
        return partial(augment, flip=self.flip, translate=self.translate, cutout=self.cutout)


def augment(
    images_BCHW: Tensor,
    *,
    flip: Flip,
    translate: int,
    cutout: int,
    generator: torch.Generator,
    index_B: Tensor,
    epoch: int,
    flip_seed: int,
    fill: Sequence[int],
    part: Part | None = None,
) -> Tensor:
    """Mirror, shift and cut out each image at random; shape, dtype and device stay.

    ``index_B`` (on the CPU) are the images' places in the training set and ``flip_seed`` is the
    run's: both matter to alternating flips only. ``fill`` is a colour, one level per channel.
    ``part``: the images are this part of a minibatch; what is drawn for the others is dropped.
    """
    num_drawn = part.whole if part else len(images_BCHW)
    drawn_5B = draw_changes((num_drawn, *images_BCHW.shape[1:]), translate, generator)
    if part:
        drawn_5B = drawn_5B[:, part.start : part.stop]
    if flip == "alternating":
        drawn_5B[0] = (coins(index_B, flip_seed) + epoch) % 2
    elif flip == "none":
        drawn_5B[0] = 0
    mirrored_B, dy_B, dx_B, centre_y_B, centre_x_B = copy_to(drawn_5B, images_BCHW.device)
    if flip != "none" or translate:
        images_BCHW = flip_and_translate(images_BCHW, mirrored_B.bool(), dy_B, dx_B)
    if cutout:
        half_px = cutout // 2
        images_BCHW = cut_out(images_BCHW, centre_y_B - half_px, centre_x_B - half_px, cutout, fill)
    return images_BCHW


def draw_changes(shape_BCHW: Sequence[int], translate: int, generator: torch.Generator) -> Tensor:
    """Draw five int64 rows: mirrored (0 or 1), shifts dy and dx, the cutout's centre y and x.

    Each is drawn whether used or not: switching one change off does not alter the others.
    """
    num_images, _, height, width = shape_BCHW
    shift = (-translate, translate + 1)
    ranges = ((0, 2), shift, shift, (0, height), (0, width))
    return torch.stack(
        [torch.randint(low, high, (num_images,), generator=generator) for low, high in ranges]
    )


def coins(index_B: Tensor, seed: int) -> Tensor:
    """Toss a fair coin, 0 or 1, for each index; the same index and seed give the same side.

    Thomas Mueller's 32-bit integer hash; its multiplier is small enough never to overflow int64.
    """
    hash_B = (index_B + seed % 2**32) % 2**32
    for _ in range(2):
        hash_B = ((hash_B >> 16) ^ hash_B) * 0x45D9F3B % 2**32
    return ((hash_B >> 16) ^ hash_B) % 2


def flip_and_translate(
    images_BCHW: Tensor, mirrored_B: Tensor, dy_B: Tensor, dx_B: Tensor
) -> Tensor:
    """Mirror each image where ``mirrored_B``, then move it down by dy and right by dx pixels.

    The space at the border is filled with the image's reflection. One gather does it all: for
    each pixel of the result, we know the row and the column that it comes from.
    """
    height, width = images_BCHW.shape[2:]
    y_H = torch.arange(height, device=images_BCHW.device)
    x_W = torch.arange(width, device=images_BCHW.device)
    rows_BH = reflect(y_H - dy_B[:, None], height)
    columns_BW = reflect(x_W - dx_B[:, None], width)
    columns_BW = torch.where(mirrored_B[:, None], width - 1 - columns_BW, columns_BW)
    source_BHW = rows_BH[:, :, None] * width + columns_BW[:, None, :]
    pixels_BCP = images_BCHW.flatten(2)
    source_BCP = source_BHW.flatten(1)[:, None].expand_as(pixels_BCP)
    return pixels_BCP.gather(2, source_BCP).view(images_BCHW.shape)


def reflect(position: Tensor, length: int) -> Tensor:
    """Fold positions outside [0, length) back inside, as between two mirrors (… 2 1 0 1 2 …)."""
    period = max(2 * (length - 1), 1)
    position = position % period
    return torch.minimum(position, period - position)


def cut_out(
    images_BCHW: Tensor, top_B: Tensor, left_B: Tensor, side_px: int, fill: Sequence[int]
) -> Tensor:
    """Fill a square of each image, from row ``top`` and column ``left`` on, with one colour.

    Parts of the square may lie outside the image, so that less is lost near a border: DeVries
    and Taylor (2017) found that this matters.
    """
    height, width = images_BCHW.shape[2:]
    y_H = torch.arange(height, device=images_BCHW.device)
    x_W = torch.arange(width, device=images_BCHW.device)
    rows_BH = (y_H >= top_B[:, None]) & (y_H < top_B[:, None] + side_px)
    columns_BW = (x_W >= left_B[:, None]) & (x_W < left_B[:, None] + side_px)
    square_B1HW = rows_BH[:, None, :, None] & columns_BW[:, None, None, :]
    fill_C = copy_to(torch.tensor(fill, dtype=images_BCHW.dtype), images_BCHW.device)
    return torch.where(square_B1HW, fill_C[:, None, None], images_BCHW)
