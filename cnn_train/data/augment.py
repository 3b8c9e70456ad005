"""Random changes that leave an image's class as it is, drawn for each image on its own.

Random numbers come from the CPU, so that every device sees the same changes: all of an epoch at
once, each image's by its place in the training set, whatever the order and the minibatches. Pixels
are worked on where they lie, a whole minibatch at once and without waiting for the device.
Shape letters: N training images, B minibatch, C channels, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ..config.base import Config
from ..machine.device import copy_to
from ..random_streams import derive_seed, make_generator

Flip = Literal["none", "random", "alternating"]

LIGHT_STEPS = 2**15
"""Brightness and contrast are drawn as whole numbers, like all changes: from - to + so many."""


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
    brightness: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="most that is added to all of an image's normalised levels or taken from "
        "them, in standard deviations; 0: nothing",
    )
    contrast: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="most by which a factor on an image's normalised levels, their distances from "
        "the mean colour, differs from 1; 0: nothing",
    )

    def build(self) -> "Augmentation":
        """Build the augmentation with these settings."""
        return Augmentation(**self.model_dump())


@dataclass(frozen=True)
class Augmentation:
    """Mirror, shift and cut out each image at random; change its brightness and contrast."""

    flip: Flip
    translate: int
    cutout: int
    brightness: float
    contrast: float

    def draw(self, shape_NCHW: Sequence[int], seed: int, epoch: int) -> Tensor:
        """Draw an epoch's changes of each image: seven int64 rows of N, on the CPU.

        They are mirrored (0 or 1), shifts dy and dx, the cutout's centre y and x, contrast and
        brightness (-LIGHT_STEPS to LIGHT_STEPS). Each is drawn whether used or not: switching one
        change off does not alter the others.
        """
        num_images, _, height, width = shape_NCHW
        generator = make_generator(seed, "augment", epoch)
        shift, light = (-self.translate, self.translate + 1), (-LIGHT_STEPS, LIGHT_STEPS + 1)
        ranges = ((0, 2), shift, shift, (0, height), (0, width), light, light)
        changes_7N = torch.stack(
            [torch.randint(low, high, (num_images,), generator=generator) for low, high in ranges]
        )
        if self.flip == "alternating":
            sides_N = coins(torch.arange(num_images), derive_seed(seed, "alternating flip"))
            changes_7N[0] = (sides_N + epoch) % 2
        elif self.flip == "none":
            changes_7N[0] = 0
        return changes_7N

    def __call__(self, images_BCHW: Tensor, changes_7B: Tensor, fill: Sequence[int]) -> Tensor:
        """Make the changes that :meth:`draw` drew, but for the light; shape, dtype, device stay.

        ``fill`` is a colour, one level per channel.
        """
        mirrored_B, dy_B, dx_B, y_B, x_B = changes_7B[:5]
        if self.flip != "none" or self.translate:
            images_BCHW = flip_and_translate(images_BCHW, mirrored_B.bool(), dy_B, dx_B)
        if self.cutout:
            half_px = self.cutout // 2
            images_BCHW = cut_out(images_BCHW, y_B - half_px, x_B - half_px, self.cutout, fill)
        return images_BCHW

    def light(self, changes_7B: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the factor and the summand of each image's normalised levels; None: 1 and 0.

        The normalisation applies them, in the passes over the pixels that it makes anyway.
        """
        if not (self.contrast or self.brightness):
            return None
        contrast_B, brightness_B = changes_7B[5:] / LIGHT_STEPS
        return 1 + self.contrast * contrast_B, self.brightness * brightness_B


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
    y_H, x_W = (torch.arange(side, device=images_BCHW.device) for side in (height, width))
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
    y_H, x_W = (torch.arange(side, device=images_BCHW.device) for side in images_BCHW.shape[2:])
    rows_BH = (y_H >= top_B[:, None]) & (y_H < top_B[:, None] + side_px)
    columns_BW = (x_W >= left_B[:, None]) & (x_W < left_B[:, None] + side_px)
    square_B1HW = rows_BH[:, None, :, None] & columns_BW[:, None, None, :]
    fill_C = copy_to(torch.tensor(fill, dtype=images_BCHW.dtype), images_BCHW.device)
    return torch.where(square_B1HW, fill_C[:, None, None], images_BCHW)
