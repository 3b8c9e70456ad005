"""A run's whole state in one file; reading it detects damage and never runs code.

Layout: a torch zip of plain dicts, numbers, strings and tensors, then a footer of 48 bytes:
magic (8), format version (8, big endian), SHA-256 of everything before the digest (32).
The digest is verified before anything is parsed, and parsing is ``weights_only``. The zip still
opens with plain ``torch.load``.
"""

import hashlib
import io
import struct
from collections import OrderedDict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter
from torch import Tensor, nn

from ..errors import CheckpointError, is_out_of_memory
from ..machine.atomic_file import write_atomically
from .foreign import advise
from .migration import FORMAT_VERSION, migrate

MAGIC = b"CNNTRAIN"
FOOTER_SIZE = 48
TENSORS_ALLOWED = ConfigDict(arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to resume a run bit for bit, or to use its model without another file.

    config: the resolved experiment as plain YAML types. epoch: completed epochs; position:
    minibatches done in the current epoch; step: updates so far; averaged_updates: those in the
    averaged weights. records: one dict per completed
    epoch. partial_tally: sums over the minibatches of the current epoch. config_changes: settings
    changed when resuming, each with step, key, before and after. training_images: the hash of each
    image that the weights were trained on, in earlier runs too.
    imported_from: the file that the
    weights came from; None: they came from a run of cnn-train, which can be resumed.
    """

    config: dict[str, Any]
    class_names: list[str]
    image_shape: list[int]
    normalization: dict[str, list[float]]
    data_fingerprints: dict[str, str]
    model: dict[str, Tensor]
    averaged_model: dict[str, Tensor] | None
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
    training_images: Tensor
    imported_from: str | None = None
    averaged_updates: int = 0

    @property
    def val_accuracy(self) -> float | None:
        """Validation accuracy after the last completed epoch; None before the first."""
        return self.records[-1]["val_accuracy"] if self.records else None

    @property
    def usable_weights(self) -> dict[str, Tensor]:
        """The weights to use the model with: the averaged ones, where there are any."""
        return self.averaged_model or self.model


def load_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Fill ``model`` with every tensor of ``state``; RuntimeError where they do not fit.

    A state without the versions of its layers, as older releases saved it, is of those that
    ``model`` has.
    """
    versioned = OrderedDict(state)
    versioned._metadata = getattr(state, "_metadata", model.state_dict()._metadata)  # type: ignore[attr-defined]
    try:
        model.load_state_dict(versioned)
    except (AttributeError, TypeError, ValueError) as problem:  # of a layer that reads a version
        raise RuntimeError(f"a layer refuses the stored version: {problem}") from None


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write ``checkpoint`` atomically. Raises ResourceError where the disk is full or refuses."""
    buffer = io.BytesIO()
    torch.save(
        {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}, buffer
    )
    buffer.write(MAGIC + struct.pack(">Q", FORMAT_VERSION))
    content = buffer.getbuffer()
    write_atomically(path, content, hashlib.sha256(content).digest())


@dataclass(frozen=True)
class VerifiedFile:
    """A checkpoint file whose digest is right; nothing in it has been parsed yet.

    content: the torch zip. digest: the SHA-256 in the footer, 64 hex digits.
    """

    content: bytes
    version: int
    digest: str
    num_bytes: int


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint of this or an older format; tensors land on the CPU.

    Raises CheckpointError where the file is missing, is not a checkpoint, is damaged, or was
    written by a newer release. Where memory runs out, that error passes through.
    """
    return parse_checkpoint(read_verified(path), path)


def parse_checkpoint(file: VerifiedFile, path: Path) -> Checkpoint:
    """Make the checkpoint of a verified file; raises CheckpointError, which names ``path``."""
    try:
        state = torch.load(io.BytesIO(file.content), map_location="cpu", weights_only=True)
    except Exception as problem:  # not shown: torch's message advises to load the file unsafely
        if is_out_of_memory(problem):
            raise
        raise CheckpointError(
            f"{path}: holds more than plain data, which a checkpoint never does; do not use it"
        ) from None
    try:
        state = migrate(state, file.version)
        _require_types(state)
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(
            f"{path}: its contents are not those of a cnn-train checkpoint"
        ) from None
    return Checkpoint(**state)


def _require_types(state: dict[str, Any]) -> None:
    """Require the fields of a checkpoint, each of its type; raises TypeError or ValueError."""
    types = get_type_hints(Checkpoint)
    if set(state) != set(types):
        raise TypeError
    for name, expected in types.items():
        TypeAdapter(expected, config=TENSORS_ALLOWED).validate_python(state[name], strict=True)
    shape, means = state["image_shape"], state["normalization"]
    if (
        state["training_images"].dtype != torch.int64
        or len(shape) != 3
        or min(shape) < 1
        or not state["class_names"]
    ):
        raise ValueError
    if not all("val_accuracy" in record for record in state["records"]):
        raise ValueError
    if {name: len(values) for name, values in means.items()} != {"mean": shape[0], "std": shape[0]}:
        raise ValueError


def read_content(path: Path) -> bytes:
    """Read a file of weights of any kind; raises CheckpointError where there is none to read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except IsADirectoryError:
        raise CheckpointError(
            f"{path}: a directory, not a cnn-train checkpoint; name a file in it"
        ) from None
    except OSError as problem:
        raise CheckpointError(f"{path}: cannot read ({problem.strerror})") from None


def is_checkpoint(content: bytes) -> bool:
    """Tell by the footer whether a file's bytes are a checkpoint of ours, perhaps a damaged one."""
    return len(content) > FOOTER_SIZE and content[-FOOTER_SIZE:].startswith(MAGIC)


def read_verified(path: Path) -> VerifiedFile:
    """Read a checkpoint file and check it as :func:`verify_content` does."""
    return verify_content(read_content(path), path)


def verify_content(content: bytes, path: Path) -> VerifiedFile:
    """Check magic, digest and version of a checkpoint file's bytes; raises CheckpointError."""
    footer = content[-FOOTER_SIZE:]
    if not is_checkpoint(content):
        raise CheckpointError(
            f"{path}: not a cnn-train checkpoint, or cut short; {advise(content, path)}"
        )
    if hashlib.sha256(memoryview(content)[:-32]).digest() != footer[16:]:
        raise CheckpointError(f"{path}: damaged (checksum mismatch); use another checkpoint")
    (version,) = struct.unpack(">Q", footer[8:16])
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: written in format {version} by a newer cnn-train; this one reads up to "
            f"{FORMAT_VERSION}: upgrade cnn-train"
        )
    return VerifiedFile(content[:-FOOTER_SIZE], version, footer[16:].hex(), len(content))
