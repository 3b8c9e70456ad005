"""Decode one CIFAR-10 batch file, in the binary and in the pickled form.

Shape letters: N examples, C channels, H W pixels.
Formats: https://www.cs.toronto.edu/~kriz/cifar.html. No code from a pickle ever runs.
"""

import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import DataError

IMAGE_SHAPE = (3, 32, 32)

Bytes = npt.NDArray[np.uint8]


def decode_binary(content: bytes) -> tuple[Bytes, Bytes]:
    """Split rows of one label byte and 3072 pixel bytes into (images_NCHW, labels_N).

    Raises DataError where the content is not a whole number of rows.
    """
    row_bytes = 1 + math.prod(IMAGE_SHAPE)
    if len(content) % row_bytes:
        raise DataError(f"{len(content)} bytes are not a whole number of {row_bytes}-byte rows")
    rows = np.frombuffer(content, np.uint8).reshape(-1, row_bytes)
    return rows[:, 1:].reshape(-1, *IMAGE_SHAPE), rows[:, 0]


def decode_pickled(content: bytes) -> tuple[Bytes, Bytes]:
    """Read (images_NCHW, labels_N) out of a pickled dict without running anything it names.

    Raises DataError for a pickle that names anything but a plain numpy array, or is no such dict.
    """
    try:
        batch = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels, labels = batch[b"data"].to_numpy(), batch[b"labels"]
        return pixels.reshape(-1, *IMAGE_SHAPE), np.array(labels, dtype=np.uint8)
    except DataError:
        raise
    except Exception as error:  # a malformed pickle can fail in any way at all
        raise DataError(
            f"not a pickled CIFAR-10 batch ({type(error).__name__}: {error})"
        ) from error


class _PickledArray:
    """What a pickled ndarray says about itself; stands in for it while the pickle is read."""

    shape: tuple[int, ...]
    dtype_code: bytes
    is_fortran: bool
    raw: bytes

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *_version, self.shape, self.dtype_code, self.is_fortran, self.raw = state

    def to_numpy(self) -> Bytes:
        """Build the array; the raw bytes must fill its shape exactly."""
        if self.dtype_code != b"u1":
            raise DataError(f"the pixels are of type {self.dtype_code!r}, expected uint8")
        flat = np.frombuffer(self.raw, np.uint8)
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C")


class _PickledDtype(bytes):
    """The code of a pickled dtype, such as b"u1"."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Drop the byte order: single bytes have none."""


STAND_INS: dict[tuple[str, str], Callable[..., object] | None] = {
    ("numpy.core.multiarray", "_reconstruct"): lambda subtype, shape, code: _PickledArray(),
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): lambda code, align, copy: _PickledDtype(code),
}


class _ArrayUnpickler(pickle.Unpickler):
    """Know only the three names in a pickled array, and replace each by a harmless stand-in."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STAND_INS:
            raise DataError(f"refused: the pickle asks for {module}.{name}; nothing was run")
        return STAND_INS[module, name]
