"""Turn an opened image of any Pillow mode into 8-bit RGB, by an explicit table of modes.

Pillow's own ``convert("RGB")`` clips 16-bit values to 255, turns float images black and shows the
hidden colours of transparent pixels; none of that may reach a network unnoticed.

Shape letters: H W pixels, C channels (RGB).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError

Pixels = NDArray[np.uint8]

BACKGROUND = "white"
LAID_ON_BACKGROUND = f"transparent pixels are laid on {BACKGROUND}"
LARGEST_8_BIT = 255
LARGEST_16_BIT = 65_535
TAKEN_AS = "its 16-bit values are taken as"
STRIP_PIXELS = 1_000_000  # converted at once: each takes up to 30 bytes on the way
GREY_BITS = (8, 10, 12, 14, 16)  # what cameras, microscopes and scanners store in 16 bits
TIFF_BITS_PER_SAMPLE, TIFF_PHOTOMETRIC, TIFF_WHITE_IS_ZERO = 258, 262, 0


@dataclass(frozen=True)
class DecodedImage:
    """An upright 8-bit RGB image, and what had to be decided on the way to it.

    pixels_HWC: uint8 in [0, 255]. notices: one short phrase each, without the file's name.
    grey_bits: how many bits wide grey values were taken to fill; None: the file says, or has none.
    """

    pixels_HWC: Pixels
    notices: tuple[str, ...] = ()
    grey_bits: int | None = None


def convert_to_rgb(image: Image.Image, grey_bits: int | None = None) -> DecodedImage:
    """Convert a loaded image to 8-bit RGB, transparency composited on white.

    Colour profiles are not applied. ``grey_bits``: see :func:`_convert_wide_grey`. Raises DataError
    (without the file's name) for a mode whose values have no agreed meaning.
    """
    if image.mode in WIDE_GREY:
        return _convert_wide_grey(image, grey_bits)
    convert = CONVERSIONS.get(image.mode)
    if convert is None:
        problem = f"pixels of mode {image.mode} are not supported;"
        if image.mode == "F":
            problem = "floating-point pixels have no agreed range; scale them and"
        raise DataError(f"{problem} save it as 8-bit RGB")
    num_rows = max(STRIP_PIXELS // image.width, 1)
    if image.height <= num_rows:
        return convert(image)
    bounds = [*range(0, image.height, num_rows), image.height]
    strips = (image.crop((0, top, image.width, bottom)) for top, bottom in pairwise(bounds))
    parts = list(map(convert, strips))
    notices = dict.fromkeys(notice for part in parts for notice in part.notices)
    return DecodedImage(np.concatenate([part.pixels_HWC for part in parts]), tuple(notices))


def _convert_colours(image: Image.Image) -> DecodedImage:
    """Convert 1, L, P, RGB: opaque, unless one colour or some of the palette is transparent."""
    if image.has_transparency_data:
        return _composite(image)
    # convert() copies even where there is nothing to do.
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    flat = np.frombuffer(rgb.tobytes(), dtype=np.uint8)  # faster than np.array(rgb) if small
    return DecodedImage(flat.reshape(rgb.height, rgb.width, 3).copy())


def _composite(image: Image.Image) -> DecodedImage:
    """Lay an image with transparency on the background, so that its hidden colours stay hidden."""
    rgba = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
    least_alpha = np.asarray(rgba.getchannel("A")).min()
    canvas = Image.new("RGBA", rgba.size, BACKGROUND)
    canvas.alpha_composite(rgba)
    notices = (LAID_ON_BACKGROUND,) if least_alpha < LARGEST_8_BIT else ()
    return DecodedImage(np.array(canvas.convert("RGB")), notices)


def _convert_cmyk(image: Image.Image) -> DecodedImage:
    """Convert printing inks by (1 − ink)(1 − black); Pillow undoes Adobe's inverted JPEGs itself.

    Without a colour profile, inks have no exact RGB colour.
    """
    notice = "CMYK colours are converted without a colour profile"
    return DecodedImage(np.array(image.convert("RGB")), (notice,))


def _convert_wide_grey(image: Image.Image, grey_bits: int | None) -> DecodedImage:
    """Scale grey of 16 or 32 bits to 8; one grey value may be transparent.

    A PGM or a 12-bit TIFF says how large its values can be. In other files they may fill only some
    of the bits: ``grey_bits`` of them, or else the fewest of GREY_BITS that hold them all.
    """
    values_HW = np.array(image)
    least, most = int(values_HW.min()), int(values_HW.max())
    if least < 0 or most > LARGEST_16_BIT:
        raise DataError(
            f"32-bit pixels from {least} to {most} have no known scale; save it with 8 or 16 bits"
        )
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    is_12_bit = tuple(tags.get(TIFF_BITS_PER_SAMPLE, ())) == (12,)
    stated = 16 if image.format == "PPM" else 12 if is_12_bit else None
    bits = stated or grey_bits or next(number for number in GREY_BITS if most < 2**number)
    largest = 2**bits - 1
    num_strips = 1 + values_HW.size // STRIP_PIXELS
    strips = (part.clip(max=largest) for part in np.array_split(values_HW, num_strips))
    wide = (part.astype(np.uint32) * LARGEST_8_BIT + largest // 2 for part in strips)  # to round
    grey_HW = np.concatenate([(part // largest).astype(np.uint8) for part in wide])
    if tags.get(TIFF_PHOTOMETRIC) == TIFF_WHITE_IS_ZERO:
        grey_HW = LARGEST_8_BIT - grey_HW
    notices = [f"values up to {most:,} are cut at {largest:,}"] if most > largest else []
    if bits < 16 and not stated and not grey_bits:
        notices.append(f"{TAKEN_AS} {bits}-bit grey")
    transparent = image.info.get("transparency")
    if transparent is not None:
        grey_HW[values_HW == transparent] = LARGEST_8_BIT
        notices.append(LAID_ON_BACKGROUND)
    pixels_HWC = np.repeat(grey_HW[:, :, np.newaxis], 3, axis=2)
    return DecodedImage(pixels_HWC, tuple(notices), None if stated else bits)


WIDE_GREY = ("I;16", "I;16L", "I;16B", "I;16N", "I")
CONVERSIONS: dict[str, Callable[[Image.Image], DecodedImage]] = {
    **dict.fromkeys(("1", "L", "P", "RGB", "RGBX", "YCbCr", "LAB"), _convert_colours),
    **dict.fromkeys(("LA", "La", "PA", "RGBA", "RGBa"), _composite),
    "CMYK": _convert_cmyk,
}
