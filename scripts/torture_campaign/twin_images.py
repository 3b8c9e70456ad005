"""The same picture in other files: turned, in other modes and formats; damaged ones between."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
ORIENTATION = 0x0112

TURNED_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera has turned what it stores under each EXIF orientation: undone, it is upright."""


def write_turned(picture: Image.Image, orientation: int, path: Path) -> None:
    """Store ``picture`` turned, with the orientation that turns it back."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture.transpose(TURNED_BACK[orientation]).save(path, exif=exif)


def write_palette(picture: Image.Image, path: Path) -> None:
    """Store a picture of at most 256 colours by numbers of colours, without loss."""
    pixels_HWC = np.asarray(picture)
    colours, numbers = np.unique(pixels_HWC.reshape(-1, 3), axis=0, return_inverse=True)
    stored = Image.fromarray(numbers.reshape(pixels_HWC.shape[:2]).astype(np.uint8), "P")
    stored.putpalette(colours.astype(np.uint8).tobytes())
    stored.save(path)


COLOUR_TWINS: dict[str, Callable[[Image.Image, Path], None]] = {
    **{
        f"exif-{number}.png": lambda picture, path, number=number: write_turned(  # type: ignore[misc]
            picture, number, path
        )
        for number in TURNED_BACK
    },
    "rgba.png": lambda picture, path: picture.convert("RGBA").save(path),
    "palette.png": write_palette,
    "named-wrongly.jpg": lambda picture, path: picture.save(path, "PNG"),
    "bitmap.bmp": lambda picture, path: picture.save(path),
    "plain.ppm": lambda picture, path: picture.save(path),
    "tagged.tiff": lambda picture, path: picture.save(path),
    "lossless.webp": lambda picture, path: picture.save(path, lossless=True),
}
"""Ways to store a colour picture without losing anything."""

GREY_TWINS: dict[str, Callable[[Image.Image, Path], None]] = {
    "grey.png": lambda picture, path: picture.convert("L").save(path),
    "grey-alpha.png": lambda picture, path: picture.convert("LA").save(path),
    "grey-16-bit.png": lambda picture, path: _sixteen_bits(picture).save(path),
    "grey-cmyk.tiff": lambda picture, path: _cmyk(picture).save(path),
}
"""Ways to store a picture whose three channels are equal."""


def _sixteen_bits(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def _cmyk(picture: Image.Image) -> Image.Image:
    """Return black ink alone: grey g is 255 − g of it."""
    black = Image.fromarray(255 - np.asarray(picture.convert("L")))
    none = Image.new("L", picture.size)
    return Image.merge("CMYK", (none, none, none, black))


def write_damaged(directory: Path, good: Path) -> list[Path]:
    """Write files that are no images, to stand between those that are."""
    directory.mkdir(exist_ok=True)
    content = good.read_bytes()
    damaged = {
        "empty.png": b"",
        "text.png": b"no image",
        "cut.png": content[: len(content) // 2],
        "noise.jpg": bytes(range(256)),
    }
    for name, broken in damaged.items():
        (directory / name).write_bytes(broken)
    return [directory / name for name in damaged]
