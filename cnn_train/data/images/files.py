"""Read one image file of any common kind as upright 8-bit RGB, or say in one line why not.

`predict` and the ``folder`` dataset both read through here: a file means the same pixels to both.
A JPEG file of more than 51 megapixels is read at half its width and height by both.

Shape letters: H W pixels, C channels (RGB).
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...errors import SYSTEM_SHORTAGES, DataError, ResourceError
from .costly_files import MOST_PIXELS, open_metered, refuse_if_costly, start_reading
from .foreign_files import READS_AVIF, describe_foreign_file
from .modes import DecodedImage, Pixels, convert_to_rgb
from .quiet_pillow import quiet_pillow
from .square import Reading, fit_square

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
LARGE_PIXELS = 25_000_000
PNG_BIT_DEPTH_OFFSET = 24  # signature 8, IHDR's length and type 8, width 4, height 4
EXIF_ORIENTATION = 0x0112
FEW_LEVELS = 64  # Pillow keeps the high bytes of 16-bit colours: values of 14 bits stay below
NEARLY_BLACK = "16-bit colours of small values become nearly black; scale them and save 8 bits"

# How to set upright an image of EXIF orientation 2–8 (EXIF 2.32, 4.6.4 A): pixels are H × W × C.
UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}

_large = Lock()


def load_image(path: Path, grey_bits: int | None = None) -> DecodedImage:
    """Read the first frame of an image file, recognised by its content, as upright 8-bit RGB.

    Safe in several threads; a process decodes one image of more than 25 megapixels at a time.
    ``grey_bits``: as in ``Reading``. Raises DataError (path, what is wrong, what to do) for
    whatever is no readable image or costs too much, ResourceError where the machine lacks memory
    or file handles.
    """
    with _open_file(path) as file, quiet_pillow:
        try:
            image = _open_image(file)
            with _large if image.width * image.height > LARGE_PIXELS else nullcontext():
                image = _check_png(image, file)
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
    with quiet_pillow, _damage_explained(str(image.format or "image")):
        _load_pixels(image)
        pixels_HWC = _convert_upright(image, reading.grey_bits if reading else None).pixels_HWC
    return fit_square(pixels_HWC, reading.size_px, reading.fit) if reading else pixels_HWC


def stored_mode(path: Path) -> tuple[str, int]:
    """Return the Pillow mode in which a readable file keeps its pixels, and its channels."""
    with _open_file(path) as file, quiet_pillow:
        image = _open_image(file)
        return image.mode, len(image.getbands())


def _open_file(path: Path) -> BufferedReader:
    try:
        return open_metered(path)
    except FileNotFoundError as problem:
        raise DataError(f"{path}: no such file; check the path") from problem
    except IsADirectoryError as problem:
        raise DataError(f"{path}: is a folder; name an image file") from problem
    except (OSError, ValueError) as problem:  # ValueError: a NUL character in the name
        if shortage := SYSTEM_SHORTAGES.get(getattr(problem, "errno", 0)):
            raise ResourceError(f"{path}: {shortage}") from problem
        if getattr(problem, "errno", 0) == errno.EINVAL:
            raise DataError(
                f"{path}: is a pipe or a device, which is not read; save the image in a file first "
                "and name that"
            ) from problem
        reason = getattr(problem, "strerror", None) or problem
        raise DataError(
            f"{path}: cannot be opened ({reason}); check the path and its permissions"
        ) from problem


def _open_image(file: BufferedReader) -> Image.Image:
    """Read the header, and refuse costly images."""
    with _damage_explained("image"):
        start_reading(file)
        try:
            image = Image.open(file, formats=tuple(SUFFIXES))
        except UnidentifiedImageError as problem:
            file.seek(0)
            raise DataError(describe_foreign_file(file.read(4096))) from problem
        refuse_if_costly(image, file)
        return image


def _check_png(image: Image.Image, file: BufferedReader) -> Image.Image:
    """Check a PNG's checksums, which decoding skips; return the image to be decoded."""
    if image.format == "PNG":
        file.seek(PNG_BIT_DEPTH_OFFSET)
        bit_depth = file.read(1)[0]
        with _damage_explained("PNG"):
            image.verify()
        image = _open_image(file)
        _scale_transparent_colour(image, bit_depth)
    return image


def _decode(image: Image.Image, suffix: str, grey_bits: int | None) -> DecodedImage:
    format_name = "JPEG" if image.format == "MPO" else str(image.format)  # MPO: JPEG with extras
    has_more_frames = image.format != "MPO" and _is_animated(image)
    is_deep = (
        image.mode in ("RGB", "RGBA")
        and format_name != "JPEG"
        and ";16" in str(getattr(image, "tile", [])[:1])
    )
    with _damage_explained(format_name):
        image.seek(0)
        is_halved = _load_pixels(image)
        upright = _convert_upright(image, grey_bits)
    notices: list[str] = []
    if suffix not in SUFFIXES[format_name]:
        notices.append(f"is a {format_name} file, although its name ends in {suffix or 'nothing'}")
    if has_more_frames:
        notices.append("only the first of several frames is used")
    notices += upright.notices
    if is_halved:
        notices.append(f"has more than {MOST_PIXELS // 10**6} megapixels; half the size is read")
    if is_deep and upright.pixels_HWC.max() < FEW_LEVELS:
        notices.append(NEARLY_BLACK)
    return replace(upright, notices=tuple(notices)) if notices else upright


def _load_pixels(image: Image.Image) -> bool:
    """Decode the pixels; those of a huge JPEG at half their width and height, which is said."""
    is_huge = image.width * image.height > MOST_PIXELS
    if is_huge:
        image.draft(None, (image.width // 2, image.height // 2))
    image.load()
    return is_huge


def _convert_upright(image: Image.Image, grey_bits: int | None) -> DecodedImage:
    decoded = convert_to_rgb(image, grey_bits)
    turn = UPRIGHT.get(_orientation(image))
    if turn is None:
        return decoded
    return replace(decoded, pixels_HWC=np.ascontiguousarray(turn(decoded.pixels_HWC)))


@contextmanager
def _damage_explained(format_name: str) -> Iterator[None]:
    """Raise DataError where Pillow fails: on a damaged file it raises nearly any exception."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Image.DecompressionBombError as problem:
        raise DataError("has more than 178 megapixels; make the image smaller") from problem
    except Exception as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise DataError(
            f"damaged or truncated {format_name} file ({reason}); replace it"
        ) from problem


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
