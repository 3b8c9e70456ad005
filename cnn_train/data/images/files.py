"""Read one image file of any common kind as upright 8-bit RGB, or say in one line why not.

`predict` and the ``folder`` dataset both read through here: a file means the same pixels to both.

Shape letters: H W pixels, C channels (RGB).
"""

import errno
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...errors import DataError, ResourceError
from .costly_files import refuse_if_costly
from .foreign_files import READS_AVIF, describe_foreign_file
from .modes import DecodedImage, Pixels, convert_to_rgb
from .quiet_pillow import quiet_pillow
from .square import Reading, fit_square

T = TypeVar("T")

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    **({"AVIF": (".avif", ".avifs")} if READS_AVIF else {}),
}
MAX_PIXELS = 178_956_970  # twice Pillow's warning limit; as RGB half a gigabyte
PNG_BIT_DEPTH_OFFSET = 24  # signature 8, IHDR's length and type 8, width 4, height 4
EXIF_ORIENTATION = 0x0112
FEW_LEVELS = 64  # Pillow keeps the high bytes of 16-bit colours: values of 14 bits stay below
NEARLY_BLACK = "16-bit colours of small values become nearly black; scale them and save 8 bits"

# How to set upright an image of EXIF orientation 1–8 (EXIF 2.32, 4.6.4 A): pixels are H × W × C.
UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


def load_image(path: Path, grey_bits: int | None = None) -> DecodedImage:
    """Read the first frame of an image file, recognised by its content, as upright 8-bit RGB.

    Safe in several threads. ``grey_bits``: as in ``Reading``. Raises DataError (path, what is
    wrong, what to do) for whatever is no readable image, ResourceError where the machine lacks
    memory or file handles.
    """
    with _open_file(path) as file, quiet_pillow:
        try:
            image = _open_image(file)
            return _decode(image, path.suffix.lower(), grey_bits)
        except DataError as problem:
            raise DataError(f"{path}: {problem}") from problem
        except MemoryError as problem:
            raise ResourceError(
                f"{path}: not enough memory to decode it; make the image smaller"
            ) from problem


def is_opened(image: object) -> bool:
    """Tell whether it is an image that Pillow has opened or made."""
    return isinstance(image, Image.Image)


def read_opened(image: Image.Image, reading: Reading | None = None) -> Pixels:
    """Return the pixels HWC of Pillow's image (at the frame where it stands) as of its file.

    With ``reading``, made square. Raises DataError as :func:`load_image` does.
    """
    format_name = str(image.format or "image")
    with quiet_pillow:
        _attempt(image.load, format_name)
        bits = reading.grey_bits if reading else None
        pixels_HWC = _convert_upright(image, format_name, bits).pixels_HWC
    return fit_square(pixels_HWC, reading.size_px, reading.fit) if reading else pixels_HWC


def stored_mode(path: Path) -> tuple[str, int]:
    """Return the Pillow mode in which a readable file keeps its pixels, and its channels."""
    with _open_file(path) as file, quiet_pillow:
        image = _open_header(file)
        return image.mode, len(image.getbands())


def _open_file(path: Path) -> BinaryIO:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError(f"{path}: is a folder; name an image file")
        if not stat.S_ISREG(mode):
            raise DataError(f"{path}: is not a regular file; name an image file")
        return path.open("rb")
    except (OSError, ValueError) as problem:  # ValueError: a NUL character in the name
        raise _explain_unreadable(path, problem) from problem


def _explain_unreadable(path: Path, problem: Exception) -> DataError | ResourceError:
    if isinstance(problem, FileNotFoundError):
        return DataError(f"{path}: no such file; check the path")
    if isinstance(problem, PermissionError):
        return DataError(f"{path}: no permission to read it; change the file's permissions")
    if isinstance(problem, OSError) and problem.errno in (errno.EMFILE, errno.ENFILE):
        return ResourceError(f"{path}: too many open files; raise the limit with ulimit -n")
    reason = getattr(problem, "strerror", None) or problem
    return DataError(f"{path}: cannot be opened ({reason}); check the path")


def _open_image(file: BinaryIO) -> Image.Image:
    """Read the header, refuse costly images, and check a PNG's checksums, which decoding skips."""
    image = _open_header(file)
    refuse_if_costly(image, file)
    if image.format == "PNG":
        file.seek(PNG_BIT_DEPTH_OFFSET)
        bit_depth = file.read(1)[0]
        _attempt(image.verify, "PNG")
        image = _open_header(file)
        _scale_transparent_colour(image, bit_depth)
    return image


def _open_header(file: BinaryIO) -> Image.Image:
    try:
        file.seek(0)
        image = Image.open(file, formats=tuple(SUFFIXES))
    except Image.DecompressionBombError as problem:
        raise _too_large() from problem
    except UnidentifiedImageError as problem:
        file.seek(0)
        raise DataError(describe_foreign_file(file.read(4096))) from problem
    except Exception as problem:
        raise _damaged("image", problem) from problem
    if image.width * image.height > MAX_PIXELS:
        raise _too_large()
    return image


def _decode(image: Image.Image, suffix: str, grey_bits: int | None) -> DecodedImage:
    format_name = "JPEG" if image.format == "MPO" else str(image.format)  # MPO: JPEG with extras
    has_more_frames = image.format != "MPO" and _is_animated(image)
    is_deep = image.mode in ("RGB", "RGBA") and ";16" in str(getattr(image, "tile", [])[:1])
    _attempt(lambda: _load_first_frame(image), format_name)
    upright = _convert_upright(image, format_name, grey_bits)
    notices = (
        *_notice_suffix(format_name, suffix),
        *(("only the first of several frames is used",) if has_more_frames else ()),
        *upright.notices,
        *((NEARLY_BLACK,) if is_deep and upright.pixels_HWC.max() < FEW_LEVELS else ()),
    )
    return replace(upright, notices=notices)


def _convert_upright(image: Image.Image, format_name: str, grey_bits: int | None) -> DecodedImage:
    decoded = _attempt(lambda: convert_to_rgb(image, grey_bits), format_name)
    upright = UPRIGHT.get(_orientation(image), UPRIGHT[1])
    return replace(decoded, pixels_HWC=np.ascontiguousarray(upright(decoded.pixels_HWC)))


def _load_first_frame(image: Image.Image) -> None:
    image.seek(0)
    image.load()


def _attempt(step: Callable[[], T], format_name: str) -> T:
    """Run a step of Pillow's; on a damaged file its decoders raise nearly any exception."""
    try:
        return step()
    except (DataError, MemoryError):
        raise
    except Exception as problem:
        raise _damaged(format_name, problem) from problem


def _damaged(format_name: str, problem: Exception) -> DataError:
    reason = " ".join(str(problem).split()) or type(problem).__name__
    return DataError(f"damaged or truncated {format_name} file ({reason}); replace it")


def _too_large() -> DataError:
    return DataError(f"has more than {MAX_PIXELS // 10**6} megapixels; make the image smaller")


def _is_animated(image: Image.Image) -> bool:
    """Tell whether frames follow the first; to count them, Pillow would walk through them all."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a later frame is damaged; the first may still be good
        return True


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; damaged EXIF data says nothing about the pixels."""
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:
        return 1


def _scale_transparent_colour(image: Image.Image, bit_depth: int) -> None:
    """Bring a PNG's transparent colour to the 8 bits that Pillow brings the pixels to.

    Pillow leaves it in the file's own bit depth, where it matches no pixel or a wrong one.
    """
    colour = image.info.get("transparency")
    if image.mode == "L" and bit_depth < 8 and isinstance(colour, int):
        image.info["transparency"] = colour * 255 // (2**bit_depth - 1)
    if image.mode == "RGB" and bit_depth == 16 and isinstance(colour, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in colour)


def _notice_suffix(format_name: str, suffix: str) -> tuple[str, ...]:
    if suffix in SUFFIXES[format_name]:
        return ()
    return (f"is a {format_name} file, although its name ends in {suffix or 'nothing'}",)
