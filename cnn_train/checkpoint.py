"""A run's whole state in one file that notices damage and never runs code.

Layout: a torch zip of plain dicts, numbers, strings and tensors, then a footer of 48 bytes:
magic (8), format version (8, big endian), SHA-256 of everything before the digest (32).
The digest is verified before anything is parsed, and parsing is ``weights_only``. The zip still
opens with plain ``torch.load``.
"""

import hashlib
import io
import struct
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from .atomic_file import write_atomically
from .errors import CheckpointError

MAGIC = b"CNNTRAIN"
FORMAT_VERSION = 1
FOOTER_SIZE = 48


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to go on with a run bit for bit, or to use its model with no other file.

    config: the resolved experiment as plain YAML types. epoch: completed epochs; position:
    minibatches done in the epoch under way; step: updates so far. records: one dict per completed
    epoch. partial_tally: sums over the minibatches of the epoch under way. config_changes: what was
    changed on the way, each with step, key, before and after.
    """

    config: dict[str, Any]
    class_names: list[str]
    image_shape: list[int]
    normalization: dict[str, list[float]]
    data_fingerprints: dict[str, str]
    model: dict[str, Any]
    averaged_model: dict[str, Any] | None
    optimizer: dict[str, Any]
    generators: dict[str, Any]
    epoch: int
    position: int
    step: int
    partial_tally: dict[str, Any]
    records: list[dict[str, float]]
    limit_batches: int | None
    precision: str
    environment: dict[str, str]
    config_changes: list[dict[str, Any]]

    @property
    def val_accuracy(self) -> float | None:
        """Validation accuracy after the last completed epoch; None before the first."""
        return self.records[-1]["val_accuracy"] if self.records else None


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write ``checkpoint`` atomically. Raises ResourceError where the disk is full or refuses."""
    buffer = io.BytesIO()
    torch.save(
        {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}, buffer
    )
    buffer.write(MAGIC + struct.pack(">Q", FORMAT_VERSION))
    content = buffer.getbuffer()
    write_atomically(path, content, hashlib.sha256(content).digest())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint; tensors land on the CPU.

    Raises CheckpointError where the file is missing, is not a checkpoint, is damaged, or was
    written by a newer release.
    """
    content = _read_verified(path)
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # torch's own words advise to load the file unsafely: they stay unsaid
        raise CheckpointError(
            f"{path}: holds more than plain data, which a checkpoint never does; do not use it"
        ) from None
    expected = {field.name for field in fields(Checkpoint)}
    if not isinstance(state, dict) or set(state) != expected:
        raise CheckpointError(f"{path}: its contents are not those of a cnn-train checkpoint")
    return Checkpoint(**state)


def _read_verified(path: Path) -> bytes:
    """Return the torch zip after checking magic, version and digest."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except OSError as problem:
        raise CheckpointError(f"{path}: cannot read ({problem.strerror})") from None
    footer = content[-FOOTER_SIZE:]
    if len(content) <= FOOTER_SIZE or not footer.startswith(MAGIC):
        raise CheckpointError(
            f"{path}: not a cnn-train checkpoint, or cut short; "
            "checkpoints are written by `cnn-train fit` as last.ckpt and best.ckpt"
        )
    if hashlib.sha256(content[:-32]).digest() != footer[16:]:
        raise CheckpointError(f"{path}: damaged (checksum mismatch); use another checkpoint")
    (version,) = struct.unpack(">Q", footer[8:16])
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: written in format {version} by a newer cnn-train; this one reads up to "
            f"{FORMAT_VERSION}: upgrade cnn-train"
        )
    return content[:-FOOTER_SIZE]
