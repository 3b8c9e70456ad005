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
from dataclasses import dataclass, field, fields
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


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything needed to resume a run bit for bit, or to use its model without another file.

    config: the resolved experiment as plain YAML types. epoch: completed epochs; position:
    minibatches done in the current epoch; step: updates so far; averaged_updates: those in the
    averaged weights. records: one dict per completed epoch. partial_tally: sums over the
    minibatches of the current epoch. config_changes: settings changed when resuming, each with
    step, key, before and after. training_images: the hash of each image that the weights were
    trained on, in earlier runs too. imported_from: the file that the weights came from; None: they
    came from a run of cnn-train, which can be resumed. Defaults are those of no run at all.
    """

    config: dict[str, Any]
    class_names: list[str]
    image_shape: list[int]
    normalization: dict[str, list[float]]
    data_fingerprints: dict[str, str] = field(default_factory=dict)
    model: dict[str, Tensor]
    averaged_model: dict[str, Tensor] | None = None
    optimizer: dict[str, Any] = field(default_factory=dict)
    generators: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    position: int = 0
    step: int = 0
    partial_tally: dict[str, Any] = field(default_factory=dict)
    records: list[dict[str, float]] = field(default_factory=list)
    limit_batches: int | None = None
    precision: str = "float32"
    environment: dict[str, str]
    config_changes: list[dict[str, Any]] = field(default_factory=list)
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
class CheckpointFile:
    """A checkpoint that was read and verified, and the file it came from.

    digest: the SHA-256 in the footer, 64 hex digits.
    """

    path: str
    num_bytes: int
    format_version: int
    digest: str
    checkpoint: Checkpoint

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
        body = io.BytesIO(content[:-FOOTER_SIZE])
        state = torch.load(body, map_location="cpu", weights_only=True)
    except Exception as problem:  # not shown: torch's message advises to load the file unsafely
        if is_out_of_memory(problem):
            raise
        raise CheckpointError(
            f"{path}: holds more than plain data, which a checkpoint never does; do not use it"
        ) from None
    try:
        state = migrate(state, version)
        _require_types(state)
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(
            f"{path}: its contents are not those of a cnn-train checkpoint"
        ) from None
    return CheckpointFile(str(path), len(content), version, digest, Checkpoint(**state))


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
        or not all("val_accuracy" in record for record in state["records"])
        or {name: len(each) for name, each in means.items()} != {"mean": shape[0], "std": shape[0]}
    ):
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
