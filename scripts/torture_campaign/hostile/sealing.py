"""Write checkpoints whose digest is right, whatever is in them: an attacker can compute it too."""

import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import torch

from cnn_train.checkpoints.checkpoint import FOOTER_SIZE, MAGIC
from cnn_train.checkpoints.migration import FORMAT_VERSION


def sealed(content: bytes, version: int = FORMAT_VERSION) -> bytes:
    """Return any bytes with the footer of a whole checkpoint."""
    body = content + MAGIC + struct.pack(">Q", version)
    return body + hashlib.sha256(body).digest()


def torch_zip(tree: Any) -> bytes:
    """Return what ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(tree, buffer)
    return buffer.getvalue()


def read_fields(path: Path) -> dict[str, Any]:
    """Return the fields of a good checkpoint."""
    body = path.read_bytes()[:-FOOTER_SIZE]
    fields: dict[str, Any] = torch.load(io.BytesIO(body), weights_only=True)
    return fields
