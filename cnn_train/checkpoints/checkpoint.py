"""A run's whole state in one file; reading it detects damage and never runs code.

Layout: a torch zip of plain dicts, numbers, strings and tensors, then a footer of 48 bytes:
magic (8), format version (8, big endian), SHA-256 of everything before the digest (32).
The digest is verified before anything is parsed, what the zip claims is counted before it is
built, parsing is ``weights_only``, and the schema has its say before a field is used. The zip still
opens with plain ``torch.load``.
"""

import hashlib
import io
import os
import struct
from collections import OrderedDict
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from ..errors import CheckpointError, is_out_of_memory
from ..machine.atomic_file import write_atomically
from ..machine.regular_file import open_regular
from .foreign import advise, may_hold_weights
from .migration import FORMAT_VERSION, migrate
from .plain_data import NotPlainData, load_plain, require_plain
from .pretrained import locate, suggest
from .schema import Count, Hashes, ImageLosses, ImageShape, Names, Record, Weights, require_fields

MAGIC = b"CNNTRAIN"
FOOTER_SIZE = 48
START_SIZE = 4096
"""Enough of a file to tell what it is."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything needed to resume a run bit for bit, or to use its model without another file.

    config: the resolved experiment as plain YAML types. epoch: completed epochs; position:
    minibatches done in the current epoch; step: updates so far; averaged_updates: those in the
    averaged weights. records: one dict per completed epoch. partial_tally: sums over the
    minibatches of the current epoch. config_changes: settings changed when resuming, each with
    step, key, before and after. training_images: the hash of each image that the weights were
    trained on, in earlier runs too. imported_from: the file that the weights alone came from; None:
    all is of a run of cnn-train, which can be resumed. image_losses: losses_2N of
    data/selection.py, where they choose the images. Defaults are those of no run at all.
    """

    config: dict[str, Any]
    class_names: Names
    image_shape: ImageShape
    normalization: dict[str, list[float]]
    data_fingerprints: dict[str, str] = field(default_factory=dict)
    model: Weights
    averaged_model: Weights | None = None
    optimizer: dict[str, Any] = field(default_factory=dict)
    generators: dict[str, Any] = field(default_factory=dict)
    epoch: Count = 0
    position: Count = 0
    step: Count = 0
    partial_tally: dict[str, Any] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    limit_batches: Annotated[int, Field(ge=1)] | None = None
    precision: str = "float32"
    environment: dict[str, str]
    config_changes: list[dict[str, Any]] = field(default_factory=list)
    training_images: Hashes
    imported_from: str | None = None
    averaged_updates: Count = 0
    image_losses: ImageLosses | None = None

    @property
    def val_accuracy(self) -> float | None:
        """Validation accuracy after the last completed epoch; None before the first."""
        return self.records[-1]["val_accuracy"] if self.records else None

    @property
    def usable_weights(self) -> dict[str, Tensor]:
        """The weights to use the model with: the averaged ones, where there are any."""
        return self.averaged_model or self.model


def contiguous_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict in plain memory order, on the CPU: what every reader can load.

    It keeps the versions of the layers (``_metadata``), which MNASNet asks for when it is loaded.
    """
    state: dict[str, Tensor] = model.state_dict()
    for name, value in state.items():
        state[name] = value.cpu().contiguous()
    return state


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
    torch.save({one.name: getattr(checkpoint, one.name) for one in fields(checkpoint)}, buffer)
    buffer.write(MAGIC + struct.pack(">Q", FORMAT_VERSION))
    content = buffer.getbuffer()
    write_atomically(path, content, hashlib.sha256(content).digest())


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint that was read and verified, and the file it came from.

    digest: the SHA-256 in the footer, 64 hex digits. weights_precision: of the filters and matrices
    in the file; in memory all are float32.
    """

    path: str
    num_bytes: int
    format_version: int
    digest: str
    checkpoint: Checkpoint
    weights_precision: str = "float32"

    @property
    def num_values(self) -> int:
        """Count the numbers in the usable weights, running statistics included."""
        return sum(tensor.numel() for tensor in self.checkpoint.usable_weights.values())

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``checkpoint show --json`` prints; epochs count from 0."""
        checkpoint = self.checkpoint
        return {
            "path": self.path,
            "num_bytes": self.num_bytes,
            "format_version": self.format_version,
            "sha256": self.digest,
            "imported_from": checkpoint.imported_from,
            "config": checkpoint.config,
            "class_names": checkpoint.class_names,
            "image_shape": checkpoint.image_shape,
            "normalization": checkpoint.normalization,
            "data_fingerprints": checkpoint.data_fingerprints,
            "epochs_done": checkpoint.epoch,
            "position": checkpoint.position,
            "step": checkpoint.step,
            "val_accuracy": checkpoint.val_accuracy,
            "num_values": self.num_values,
            "weights_precision": self.weights_precision,
            "has_averaged_weights": checkpoint.averaged_model is not None,
            "can_go_on": checkpoint.imported_from is None,
            "limit_batches": checkpoint.limit_batches,
            "config_changes": checkpoint.config_changes,
            "precision": checkpoint.precision,
            "environment": checkpoint.environment,
        }


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint as :func:`open_checkpoint` does."""
    return open_checkpoint(path).checkpoint


def open_checkpoint(path: Path) -> CheckpointFile:
    """Read and verify a checkpoint of this or an older format; tensors land on the CPU.

    Raises CheckpointError where the file is missing, is not a checkpoint, is damaged, or was
    written by a newer release. Where memory runs out, that error passes through.
    """
    return parse_checkpoint(read_content(path), path)


def parse_checkpoint(content: bytes, path: Path) -> CheckpointFile:
    """Make the checkpoint of a file's bytes as :func:`open_checkpoint` does."""
    version, digest = _verify(content, path)
    try:
        state = load_plain(content)
    except NotPlainData as problem:
        raise CheckpointError(f"{path}: {problem}, so it is no cnn-train checkpoint") from None
    except Exception as problem:  # not shown: torch's message advises to load the file unsafely
        if is_out_of_memory(problem):
            raise
        raise CheckpointError(
            f"{path}: holds more than plain data, which a checkpoint never does; do not use it"
        ) from None
    try:
        require_plain(state, len(content))
        state = migrate(state, version)
        require_fields(state, Checkpoint)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as problem:
        reason = f" ({problem})" if isinstance(problem, NotPlainData) else ""
        raise CheckpointError(
            f"{path}: its contents are not those of a cnn-train checkpoint{reason}"
        ) from None
    precision = _widen(state["model"])
    return CheckpointFile(str(path), len(content), version, digest, Checkpoint(**state), precision)


def _widen(weights: dict[str, Tensor]) -> str:
    """Make float32 of what is float16, in place; return in which of them it was stored."""
    halves = [name for name, value in weights.items() if value.dtype == torch.float16]
    weights |= {name: weights[name].float() for name in halves}
    return "float16" if halves else "float32"


def read_content(path: Path) -> bytes:
    """Read a file of weights of any kind; of a file that is none of them, its beginning alone.

    Raises CheckpointError where there is nothing to read.
    """
    try:
        with open_regular(locate(path)) as file:
            start, size = file.read(START_SIZE), file.seek(0, os.SEEK_END)
            file.seek(max(size - FOOTER_SIZE - 1, 0))
            is_whole = is_checkpoint(file.read()) or may_hold_weights(start, file)
            file.seek(0)
            return file.read() if is_whole else start
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint{suggest(path)}") from None
    except IsADirectoryError:
        raise CheckpointError(
            f"{path}: a directory, not a cnn-train checkpoint; name a file in it"
        ) from None
    except OSError as problem:
        raise CheckpointError(f"{path}: cannot read ({problem.strerror})") from None
    except MemoryError:
        raise CheckpointError(f"{path}: {size / 1e9:.1f} GB do not fit into memory") from None


def is_checkpoint(content: bytes) -> bool:
    """Tell by the footer whether a file's bytes are a checkpoint of ours, perhaps a damaged one."""
    return len(content) > FOOTER_SIZE and content[-FOOTER_SIZE:].startswith(MAGIC)


def _verify(content: bytes, path: Path) -> tuple[int, str]:
    """Check magic, digest and version; return version and digest; raises CheckpointError."""
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
    return version, footer[16:].hex()
