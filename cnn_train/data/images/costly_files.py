"""Refuse image files of few bytes and allowed size that would keep a decoder busy for minutes."""

import os
from typing import BinaryIO

from PIL import Image

from ...errors import DataError

MOST_SCANNED_PIXELS = 2_000_000_000  # 11 times the largest image; a progressive photo has 10 scans
START_OF_SCAN = b"\xff\xda"
LEAST_BYTES_OF_SCAN = 10  # the marker 2, its length 2, one component 3, its spectrum 3
MOST_RUN_LENGTH_PIXELS = 20_000_000  # Pillow unpacks such a BMP in Python, pixel by pixel
RUN_LENGTH_8, RUN_LENGTH_4 = 1, 2  # a BMP header's kinds of compression


def refuse_if_costly(image: Image.Image, file: BinaryIO) -> None:
    """Raise DataError (without the file's name) for an opened image that costs too much time."""
    num_pixels = image.width * image.height
    if image.format in ("JPEG", "MPO"):
        _refuse_endless_scans(file, MOST_SCANNED_PIXELS // max(num_pixels, 1))
    is_run_length = image.info.get("compression") in (RUN_LENGTH_8, RUN_LENGTH_4)
    if image.format == "BMP" and is_run_length and num_pixels > MOST_RUN_LENGTH_PIXELS:
        raise DataError(
            f"is a compressed BMP of more than {MOST_RUN_LENGTH_PIXELS // 10**6} megapixels; "
            "save it as PNG"
        )


def _refuse_endless_scans(file: BinaryIO, most: int) -> None:
    """Refuse more than ``most`` scans of a JPEG: each may pass over all pixels for a few bytes."""
    if file.seek(0, os.SEEK_END) <= most * LEAST_BYTES_OF_SCAN:
        return
    file.seek(0)
    chunks = iter(lambda: file.read(2**20), b"")
    num_scans = sum(chunk.count(START_OF_SCAN) for chunk in chunks)
    if num_scans > most:
        raise DataError(
            f"is a JPEG file of {num_scans} scans, too many for its size; save it again"
        )
