"""What one image file may cost: five seconds and a gigabyte, however few bytes ask for more.

A file is refused for its pixels, its bytes, or how often a decoder reads from it. Refusals are
DataErrors without the file's name.
"""

import math
import os
import re
from io import BufferedReader
from pathlib import Path

from PIL import Image

from ...errors import DataError
from ...machine.regular_file import open_regular

MOST_BYTES, MOST_SMALL_BYTES = 250_000_000, 50_000
HEADER_LIMITS = (100_000, 10_000_000)  # reads and bytes: a PPM's header is read byte by byte
FILE_LIMITS = (1_000_000, 4 * MOST_BYTES)  # a GIF's second frame is sought by 255-byte blocks
MOST_PIXELS = 51_000_000
MOST_PIXELS_OF = {"WEBP": 36_000_000, "AVIF": 36_000_000}  # 18 bytes for each; others need 10
MOST_JPEG_PIXELS = 110_000_000  # half their size is decoded; not where progressive or CMYK
MOST_SLOW_SAMPLES = 2_000_000  # values of pixels that Pillow decodes in Python, at 1.5 µs
MOST_SLOW_BYTES = 16_000_000
COMMENT, MOST_COMMENTS = re.compile(b"#"), 1000  # in PPM as text: Pillow copies a megabyte for each
TILE_PIXELS = 512  # that take as long as a tile
MOST_SCANNED_PIXELS = 1_000_000_000  # 20 times the largest image; a progressive photo has 10 scans
# A scan's header has the length and the number of its components; b"\xff\xda" alone stands in
# the film behind a phone's moving photo, too.
START_OF_SCAN = re.compile(rb"\xff\xda\x00[\x08\x0a\x0c\x0e][\x01-\x04]")
LEAST_SCAN_BYTES = 10  # its header alone: a small file has too few to be worth counting
TIFF_TILE_WIDTH, TIFF_TILE_LENGTH = 322, 323


class MeteredFile(BufferedReader):
    """A file that raises DataError where a decoder reads more, or more often, than allowed."""

    reads_left = bytes_left = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does; all of it at once, as of WebP and AVIF, is always allowed."""
        content = super().read(size)
        self.reads_left -= 1
        self.bytes_left -= len(content) if size != -1 else 0
        if min(self.reads_left, self.bytes_left) < 0:
            raise DataError("holds too much beside its pixels; save it again without that")
        return content


def open_metered(path: Path) -> BufferedReader:
    """Open a file; a small one is not metered, which would take as long as to decode it.

    Raises OSError as :func:`open_regular` does, DataError for an enormous file.
    """
    file = open_regular(path)
    size = os.fstat(file.fileno()).st_size
    if size > MOST_BYTES:
        file.close()
        raise DataError(f"{path}: is larger than {MOST_BYTES // 10**6} MB; make the image smaller")
    return MeteredFile(file.detach()) if size > MOST_SMALL_BYTES else file


def start_reading(file: BufferedReader, limits: tuple[int, int] = HEADER_LIMITS) -> None:
    """Go to the beginning of a file, and allow so many reads and bytes from there."""
    file.seek(0)
    if isinstance(file, MeteredFile):
        file.reads_left, file.bytes_left = limits


def _count(sought: re.Pattern[bytes], file: BufferedReader) -> int:
    file.seek(0)
    return sum(len(sought.findall(part)) for part in iter(lambda: file.read(2**20), b""))


def refuse_if_costly(image: Image.Image, file: BufferedReader) -> None:
    """Raise DataError for an opened image that costs too much; allow others to be read."""
    start_reading(file, FILE_LIMITS)
    num_pixels, tiles = image.width * image.height, getattr(image, "tile", [])
    decoder, tags = tiles[0][0] if tiles else "", getattr(image, "tag_v2", {})
    most = MOST_PIXELS_OF.get(str(image.format), MOST_PIXELS)
    if decoder == "jpeg" and image.mode != "CMYK" and not image.info.get("progressive"):
        most = MOST_JPEG_PIXELS
    if is_slow := decoder in Image.DECODERS:  # those that are written in Python
        most = MOST_SLOW_SAMPLES // len(image.getbands())
        start_reading(file, (2 * MOST_SLOW_SAMPLES, 4 * MOST_BYTES))  # some read pixel by pixel
    if num_pixels > most:
        raise DataError(
            f"has more than the {most / 1e6:.2g} megapixels that such a {image.format} file may "
            "have; make the image smaller, or save it as JPEG"
        )
    tile_pixels = int(tags.get(TIFF_TILE_WIDTH, 0)) * int(tags.get(TIFF_TILE_LENGTH, 0))
    if (
        (is_slow and file.seek(0, os.SEEK_END) > MOST_SLOW_BYTES)
        or (decoder == "ppm_plain" and _count(COMMENT, file) > MOST_COMMENTS)
        or max(tile_pixels, len(tiles) * TILE_PIXELS) > MOST_PIXELS
    ):
        raise DataError("is stored in a way that takes too long to read; save it as PNG")
    most_scans = MOST_SCANNED_PIXELS // num_pixels if decoder == "jpeg" else math.inf
    has_room = os.fstat(file.fileno()).st_size > most_scans * LEAST_SCAN_BYTES
    if has_room and _count(START_OF_SCAN, file) > most_scans:
        raise DataError("is a JPEG file of too many scans for its size; save it again")
