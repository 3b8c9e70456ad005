"""Files of any shape become squares of one size, and what that loses.

Shape letters: H W pixels, C channels (RGB).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean, median
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from .modes import Pixels

LARGEST_SIZE_PX = 512
PADDING = (128, 128, 128)  # mid-grey: about zero for a network
MAX_ASPECT = 4
MIN_SIDE_PX = 8
LONG = Fraction(4, 3)  # cameras' usual shape: a central square loses a quarter of it
MUCH_LARGER = 4  # where a pixel of the network stands for so many of the file's in a row

Fit = Literal["crop", "pad", "squash"]


@dataclass(frozen=True)
class Reading:
    """How files become the square pixels of a network: alike in training and in use.

    size_px: the side. fit: what becomes of other shapes, see :func:`fit_square`. grey_bits: what
    wide grey values fill; None: what each file's own values need.
    """

    size_px: int
    fit: Fit = "crop"
    grey_bits: int | None = None


def fit_square(pixels_HWC: Pixels, size_px: int, fit: Fit = "crop") -> Pixels:
    """Scale to ``size_px`` × ``size_px`` (bicubic, antialiased); that size comes back untouched.

    crop: the central square, that is "resize the shorter side, then crop the centre" in one step,
    so that a 1 × 5000 image never becomes 32 × 160,000. pad: all of it, with grey bars beside it.
    squash: all of it, each side by itself.
    """
    height, width = pixels_HWC.shape[:2]
    if (height, width) == (size_px, size_px):
        return pixels_HWC
    image, bicubic = Image.fromarray(pixels_HWC), Image.Resampling.BICUBIC
    if fit == "crop":
        return np.array(ImageOps.fit(image, (size_px, size_px), bicubic))
    if fit == "squash":
        return np.array(image.resize((size_px, size_px), bicubic))
    longer = max(width, height)
    inner_width, inner_height = (max(1, round(n * size_px / longer)) for n in (width, height))
    canvas = Image.new("RGB", (size_px, size_px), PADDING)
    place = ((size_px - inner_width) // 2, (size_px - inner_height) // 2)
    canvas.paste(image.resize((inner_width, inner_height), bicubic), place)
    return np.array(canvas)


def notice_shape(pixels_HWC: Pixels, fit: Fit) -> tuple[str, ...]:
    """Say of an image what its shape costs when it is made square."""
    height, width = pixels_HWC.shape[:2]
    size = f"{width} × {height} pixels"
    if fit == "crop" and max(height, width) > MAX_ASPECT * min(height, width):
        return (f"{size}: only the central square is seen",)
    if min(height, width) < MIN_SIDE_PX:
        return (f"{size}: hardly an image",)
    return ()


@dataclass(frozen=True)
class FileFacts:
    """What is known of the files of a split.

    sizes: the smallest and the largest, by area, like ``640×480 … 1200×900``. median_side_px: of
    their shorter sides. num_long: those of 4:3 or longer; share_cut: how much of these lies outside
    the central square, on average. grey_bits: what wide grey values were taken to fill.
    """

    number: int
    sizes: str
    median_side_px: float
    num_long: int
    share_cut: float
    grey_bits: int | None

    @classmethod
    def of(cls, sizes_px: Sequence[tuple[int, int]], grey_bits: int | None) -> "FileFacts":
        """Sum up files by their (width, height), set upright."""
        extremes = (choose(sizes_px, key=lambda size: size[0] * size[1]) for choose in (min, max))
        sides = [sorted(size) for size in sizes_px]
        cuts = [1 - short / long for short, long in sides if long >= LONG * short]
        return cls(
            number=len(sizes_px),
            sizes=" … ".join(dict.fromkeys(f"{width}×{height}" for width, height in extremes)),
            median_side_px=median(short for short, _ in sides),
            num_long=len(cuts),
            share_cut=fmean(cuts) if cuts else 0.0,
            grey_bits=grey_bits,
        )

    def doubts(self, reading: Reading) -> Iterator[str]:
        """Yield what the squares lose of such files, and which settings of ``data`` keep it."""
        size_px = reading.size_px
        if self.median_side_px >= MUCH_LARGER * size_px and size_px < LARGEST_SIZE_PX:
            better = min(2 * size_px, LARGEST_SIZE_PX)
            yield (
                f"the files are {self.sizes}, the network sees {size_px}×{size_px}; "
                f"--set data.image_size={better} shows it more, for about "
                f"{(better / size_px) ** 2:.1g} times the work"
            )
        if reading.fit == "crop" and self.num_long:
            yield (
                f"{self.num_long:,} of {self.number:,} files are 4:3 or longer, and crop cuts off "
                f"{100 * self.share_cut:.0f} % of these; --set data.fit=pad (or squash) keeps it"
            )
