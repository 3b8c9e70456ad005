"""Torch files whose digest is right, whatever is in them: an attacker can compute it too."""

import hashlib
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cnn_train.checkpoints.checkpoint import FOOTER_SIZE, MAGIC
from cnn_train.checkpoints.migration import FORMAT_VERSION


def sealed(content: bytes, version: int = FORMAT_VERSION) -> bytes:
    """Return any bytes with the footer of a whole checkpoint."""
    body = content + MAGIC + struct.pack(">Q", version)
    return body + hashlib.sha256(body).digest()


def torch_zip(tree: Any, **options: Any) -> bytes:
    """Return what ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(tree, buffer, **options)
    return buffer.getvalue()


def repacked(content: bytes, method: int = zipfile.ZIP_DEFLATED, pickled: bytes = b"") -> bytes:
    """Return a torch zip written again, packed or not, perhaps with another pickle in it."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as parts,
        zipfile.ZipFile(packed, "w", method) as written,
    ):
        for part in parts.infolist():
            is_replaced = pickled and part.filename.endswith("data.pkl")
            written.writestr(part.filename, pickled if is_replaced else parts.read(part))
    return packed.getvalue()


def doubled(container: Callable[[Any], Any], times: int) -> Any:
    """Return a container that holds another one twice, which holds another one twice, …."""
    tree = container(["a"])
    for _ in range(times):
        tree = container([tree, tree])
    return tree


def read_fields(path: Path) -> dict[str, Any]:
    """Return the fields of a good checkpoint."""
    body = path.read_bytes()[:-FOOTER_SIZE]
    fields: dict[str, Any] = torch.load(io.BytesIO(body), weights_only=True)
    return fields
