"""Turn an opened image of any Pillow mode into 8-bit RGB, by an explicit table of modes.

Pillow's own ``convert("RGB")`` clips 16-bit values to 255, turns float images black and shows the
hidden colours of transparent pixels; none of that may reach a network unnoticed.

Shape letters: H W pixels, C channels (RGB).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError

Pixels = NDArray[np.uint8]

BACKGROUND = "white"
LARGEST_8_BIT = 255
LARGEST_16_BIT = 65_535
TIFF_BITS_PER_SAMPLE, TIFF_PHOTOMETRIC, TIFF_WHITE_IS_ZERO = 258, 262, 0


@dataclass(frozen=True)
class DecodedImage:
    """An upright 8-bit RGB image, and what had to be decided on the way to it.

    pixels_HWC: uint8 in [0, 255]. notices: one short phrase each, without the file's name.
    """

    pixels_HWC: Pixels
    notices: tuple[str, ...] = ()


def convert_to_rgb(image: Image.Image) -> DecodedImage:
    """Convert a loaded image to 8-bit RGB, transparency composited on white.

    Colour profiles are not applied. Raises DataError (without the file's name) for a mode whose
    values have no agreed meaning.
    """
    convert = CONVERSIONS.get(image.mode)
    if convert is None:
        raise DataError(f"pixels of mode {image.mode} are not supported; save it as 8-bit RGB")
    return convert(image)


def _convert_colours(image: Image.Image) -> DecodedImage:
    """Convert 1, L, P, RGB: opaque, unless one colour or some of the palette is transparent."""
    if image.has_transparency_data:
        return _composite(image)
    # A copy of 89 megapixels costs 0.4 GB, and convert() copies even where there is nothing to do.
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    flat = np.frombuffer(rgb.tobytes(), dtype=np.uint8)  # faster than np.array(rgb) if small
    return DecodedImage(flat.reshape(rgb.height, rgb.width, 3).copy())


def _composite(image: Image.Image) -> DecodedImage:
    """Lay an image with transparency on the background, so that its hidden colours stay hidden."""
    rgba = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
    least_alpha = np.asarray(rgba.getchannel("A")).min()
    canvas = Image.new("RGBA", rgba.size, BACKGROUND)
    canvas.alpha_composite(rgba)
    notice = f"transparent pixels are laid on {BACKGROUND}"
    return DecodedImage(
        np.array(canvas.convert("RGB")), (notice,) if least_alpha < LARGEST_8_BIT else ()
    )


def _convert_cmyk(image: Image.Image) -> DecodedImage:
    """Convert printing inks by (1 − ink)(1 − black); Pillow undoes Adobe's inverted JPEGs itself.

    Without a colour profile, inks have no exact RGB colour.
    """
    return DecodedImage(
        np.array(image.convert("RGB")), ("CMYK colours are converted without a colour profile",)
    )


def _convert_16_bit(image: Image.Image) -> DecodedImage:
    """Scale 16-bit (or 12-bit TIFF) grey to 8 bits; one grey value may be transparent."""
    values_HW = np.array(image)
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    largest = 2 ** int(tags.get(TIFF_BITS_PER_SAMPLE, (16,))[0]) - 1
    grey_HW = _scale_grey(values_HW, largest)
    if tags.get(TIFF_PHOTOMETRIC) == TIFF_WHITE_IS_ZERO:
        grey_HW = LARGEST_8_BIT - grey_HW
    transparent = image.info.get("transparency")
    if transparent is None:
        return _grey_to_rgb(grey_HW)
    grey_HW[values_HW == transparent] = LARGEST_8_BIT
    return _grey_to_rgb(grey_HW, f"transparent pixels are laid on {BACKGROUND}")


def _convert_32_bit(image: Image.Image) -> DecodedImage:
    """Scale 32-bit integers that hold 16-bit or 8-bit grey; refuse any other range.

    PNG and PPM files say that they hold 16 bits; in a TIFF only the values tell.
    """
    values_HW = np.array(image)
    least, most = int(values_HW.min()), int(values_HW.max())
    if image.format in ("PNG", "PPM"):
        return _grey_to_rgb(_scale_grey(values_HW, LARGEST_16_BIT))
    if least < 0 or most > LARGEST_16_BIT:
        raise DataError(
            f"32-bit pixels from {least} to {most} have no known scale; save it with 8 or 16 bits"
        )
    num_bits, largest = (8, LARGEST_8_BIT) if most <= LARGEST_8_BIT else (16, LARGEST_16_BIT)
    return _grey_to_rgb(
        _scale_grey(values_HW, largest), f"32-bit pixels are read as {num_bits}-bit grey"
    )


def _refuse_float(image: Image.Image) -> DecodedImage:
    raise DataError(
        "floating-point pixels have no agreed range; scale them and save it with 8 or 16 bits"
    )


def _scale_grey(values_HW: NDArray[Any], largest: int) -> Pixels:
    """Map [0, largest] to [0, 255], rounded: for 16 bits a division by 257."""
    wide_HW = values_HW.astype(np.uint32)
    return ((wide_HW * LARGEST_8_BIT + largest // 2) // largest).astype(np.uint8)


def _grey_to_rgb(grey_HW: Pixels, *notices: str) -> DecodedImage:
    return DecodedImage(np.repeat(grey_HW[:, :, np.newaxis], 3, axis=2), notices)


CONVERSIONS: dict[str, Callable[[Image.Image], DecodedImage]] = {
    **dict.fromkeys(("1", "L", "P", "RGB", "RGBX", "YCbCr", "LAB"), _convert_colours),
    **dict.fromkeys(("LA", "La", "PA", "RGBA", "RGBa"), _composite),
    "CMYK": _convert_cmyk,
    **dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N"), _convert_16_bit),
    "I": _convert_32_bit,
    "F": _refuse_float,
}
