"""Recognise an image by its pixels, whatever its file is called."""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

UNKNOWN_IMAGES = 0  # among hashes: there are others, and nobody knows which


def hash_bytes(content: bytes) -> int:
    """Return 64 bits of a BLAKE2b hash, as a signed integer."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little", signed=True)


def hash_pixels(pixels_HWC: NDArray[np.uint8]) -> int:
    """Return a number that equal images share; two of a million others do with a chance of 3e-8."""
    return hash_bytes(repr(pixels_HWC.shape).encode() + pixels_HWC.tobytes())
