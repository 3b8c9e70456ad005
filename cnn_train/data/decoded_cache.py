"""Keep a decoded image set in one file, so that later starts neither unpack nor decode.

The file holds the SHA-256 of the rest as 64 hex digits, a line of JSON, the labels and the pixels.
The hash is checked on every load: a flipped bit makes the caller decode again.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from ..atomic_file import write_atomically
from .image_set import ImageSet

HASH_BYTES = 64
LABEL_BYTES = 8


def save_decoded(path: Path, images: ImageSet, *, stamp: str) -> None:
    """Write ``images`` to ``path`` atomically; ``stamp`` names the source they were decoded from.

    Raises OSError or ResourceError where the file cannot be written.
    """
    header = {
        "stamp": stamp,
        "shape": images.images_NCHW.shape,
        "class_names": images.class_names,
        "names": images.names,
    }
    parts = (
        json.dumps(header).encode() + b"\n",
        images.labels_N.contiguous().numpy().data,
        images.images_NCHW.contiguous().numpy().data,
    )
    digest = sha256()
    for part in parts:
        digest.update(part)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, b"".join((digest.hexdigest().encode(), *parts)))


def load_decoded(path: Path, *, stamp: str) -> ImageSet | None:
    """Read the set back; None where the file is absent, damaged, or of another source."""
    if not path.is_file():
        return None
    content = bytearray(path.stat().st_size)
    with path.open("rb") as file:
        file.readinto(content)
    if sha256(memoryview(content)[HASH_BYTES:]).hexdigest().encode() != content[:HASH_BYTES]:
        return None
    header_end = content.index(b"\n", HASH_BYTES) + 1
    header = json.loads(content[HASH_BYTES:header_end])
    if header["stamp"] != stamp:
        return None
    return _parse(content, header_end, header)


def _parse(content: bytearray, header_end: int, header: dict[str, Any]) -> ImageSet:
    shape = header["shape"]
    pixels_start = header_end + LABEL_BYTES * shape[0]
    labels = content[header_end:pixels_start]  # a copy: int64 wants an aligned address
    return ImageSet(
        images_NCHW=torch.frombuffer(content, dtype=torch.uint8, offset=pixels_start).view(shape),
        labels_N=torch.frombuffer(labels, dtype=torch.int64),
        class_names=tuple(header["class_names"]),
        names=tuple(header["names"]),
    )
