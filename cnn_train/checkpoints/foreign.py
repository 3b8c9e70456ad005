"""Weight files of other programs: recognise them and read their tensors, without running code."""

import io
import json
import shlex
import zipfile
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor

from ..errors import CheckpointError, name_some
from .plain_data import (
    MOST_STRUCTURE_BYTES,
    PICKLE_START,
    ZIP_START,
    NotPlainData,
    load_plain,
    require_honest,
)

# Put before every name by training in several processes, by torch.compile and by Lightning.
PREFIXES = ("module.", "_orig_mod.", "model.")

# A counter of torch's AveragedModel beside the weights; nothing is computed from it.
COUNTERS = {"n_averaged"}

# What NumPy's numbers beside the weights (an epoch, an accuracy) are made of in a pickle.
NUMPY_PARTS = ["dtype", "ndarray", "core.multiarray.scalar", "_core.multiarray.scalar"]
NUMPY_PARTS += ["core.multiarray._reconstruct", "_core.multiarray._reconstruct"]

# Fields that only a checkpoint of ours has together.
OUR_FIELDS = {"class_names", "normalization", "data_fingerprints"}

ONNX_FILE, EXPORT_FILE = "an ONNX file", "a torch.export file"

OUR_FILES = "checkpoints are written by `cnn-train fit` as last.ckpt and best.ckpt"


@dataclass(frozen=True)
class ForeignWeights:
    """A state dict of another program, or of ours in another form.

    kind: what the file looks like, in words. tensors: by their names in the file, without common
    prefixes. is_ordered: they come in the order in which the network defines its layers.
    metadata: texts stored beside them. left_out: tensors that belong to no network.
    """

    kind: str
    tensors: dict[str, Tensor]
    is_ordered: bool
    metadata: dict[str, str]
    left_out: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether `export-weights` wrote the file, which then describes its network itself."""
        return "cnn_train" in self.metadata


class _Ignored:
    """Stands for an object of NumPy, of which nothing is needed; none of NumPy's code runs."""

    def __init__(self, *parts: object) -> None:
        """Take whatever the object was made of."""

    def __setstate__(self, state: object) -> None:
        """Forget it."""


class NotWeights(Exception):  # noqa: N818  (for some callers it is no error)
    """A file has no weights that may be read; the message says what it looks like."""


def advise(content: bytes, path: Path) -> str:
    """Say what a file that is no checkpoint of ours looks like, and what can be done with it."""
    try:
        weights = parse_weights(content)
    except NotWeights as answer:
        return str(answer)
    key = "" if weights.tensors else " --key NAME"
    return f"it looks like {weights.kind}; take its weights with: {_import_command(path)}{key}"


def _import_command(path: Path) -> str:
    return f"cnn-train checkpoint import {shlex.quote(str(path))} --config CONFIG"


def load_weights(content: bytes, path: Path, key: str | None = None) -> ForeignWeights:
    """Read the tensors of a foreign file's bytes; ``key`` names the part to take of several.

    Raises CheckpointError where there are no tensors, where ``key`` is unknown or needed, and where
    the file holds program objects, which are never loaded.
    """
    try:
        weights = parse_weights(content, key)
    except NotWeights as answer:
        raise CheckpointError(f"{path}: holds no weights to import; {answer}") from None
    if not weights.tensors:
        raise CheckpointError(
            f"{path}: holds {weights.kind}; choose one with: {_import_command(path)} --key NAME"
        )
    return weights


def parse_weights(content: bytes, key: str | None = None) -> ForeignWeights:
    """Read a state dict from a file's bytes; where it has several, return a kind but no tensors.

    Raises NotWeights, whose message says what the file looks like.
    """
    if looks_like_safetensors(content):
        return _parse_safetensors(content)
    state = _parse_torch(content)
    if not isinstance(state, Mapping):
        raise NotWeights(f"it looks like a torch file with a {type(state).__name__} alone")
    if set(state) >= OUR_FIELDS:
        raise NotWeights(
            "it looks like a cnn-train checkpoint, which needs no import if it is whole"
        )
    if is_state_dict(state):
        return ForeignWeights("a bare state dict", unwrap(state), True, {})
    return _choose(state, key)


def _choose(state: Mapping[Any, Any], key: str | None) -> ForeignWeights:
    """Take the one part of a training checkpoint that is a state dict."""
    named = {name: part for name, part in state.items() if str(name).isprintable()}
    parts = {str(name): part for name, part in named.items() if is_state_dict(part)}
    program = "Lightning" if "pytorch-lightning_version" in state else "PyTorch"
    if not parts or (key and key not in parts):
        raise NotWeights(
            f"it looks like a {program} training checkpoint without a state dict"
            + (f" {key!r}; it has {name_some(list(parts)) or 'none'}" if key else "")
        )
    if len(parts) > 1 and not key:
        return ForeignWeights(f"several state dicts: {name_some(list(parts))}", {}, True, {})
    name = key or next(iter(parts))
    kind = f"a {program} training checkpoint with a state dict under {name!r}"
    tensors, others = parts[name], ()
    if program == "Lightning":  # the module holds the network beside losses and metrics
        network = {key: value for key, value in tensors.items() if key.startswith("model.")}
        others = tuple(key for key in tensors if network and key not in network)
        tensors = network or tensors
    return ForeignWeights(kind, unwrap(tensors), True, {}, others)


def is_state_dict(value: object) -> bool:
    """Tell whether ``value`` maps printable names to tensors, and holds nothing else."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and name.isprintable() for name in value)
        and all(isinstance(tensor, Tensor) for tensor in value.values())
    )


def unwrap(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove the prefixes that all names share, and counters that belong to a wrapper."""
    plain = {name: tensor for name, tensor in tensors.items() if name not in COUNTERS}
    while plain and (
        prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in plain)), None)
    ):
        plain = {name.removeprefix(prefix): tensor for name, tensor in plain.items()}
    return plain


def may_hold_weights(start: bytes, file: BinaryIO) -> bool:
    """Tell by both ends of a file whether to read it at all."""
    if start.startswith(ZIP_START):
        return zipfile.is_zipfile(file)
    if start.startswith(PICKLE_START):
        file.seek(0)
        with suppress(Exception):  # of a pickle of any bytes
            require_honest(file.read(MOST_STRUCTURE_BYTES))
            return True
    return start[8:9] == b"{" or _name_other_program(start) == ONNX_FILE


def looks_like_safetensors(content: bytes) -> bool:
    """Tell by the header's length and its first character."""
    length = int.from_bytes(content[:8], "little")
    return content[8:9] == b"{" and length <= min(len(content) - 8, MOST_STRUCTURE_BYTES)


def _parse_safetensors(content: bytes) -> ForeignWeights:
    try:
        tensors = load_safetensors(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except Exception:  # the library raises many kinds, with messages about its own code
        raise NotWeights("it looks like a safetensors file that is damaged or cut short") from None
    if not is_state_dict(tensors):
        raise NotWeights("it looks like a safetensors file without tensors that can be named")
    metadata = header.get("__metadata__", {})
    return ForeignWeights("a safetensors file", unwrap(tensors), False, metadata)


def _parse_torch(content: bytes) -> Any:
    """Load plain data only; the settings that timm saves are a Namespace, which is harmless."""
    harmless: list[Any] = [Namespace, *((_Ignored, f"numpy.{name}") for name in NUMPY_PARTS)]
    try:
        return load_plain(content, harmless)
    except NotPlainData as problem:
        if _name_other_program(content):  # TorchScript packs its code
            raise NotWeights(_explain_refusal(content)) from None
        raise NotWeights(f"it looks like a torch file, but {problem}") from None
    except Exception:  # not shown: torch's message advises to load the file unsafely
        raise NotWeights(_explain_refusal(content)) from None


def _explain_refusal(content: bytes) -> str:
    """Say why torch refuses a file: it holds objects, is cut short, or is no torch file at all."""
    if not content:
        return f"it is empty; {OUR_FILES}"
    if program := _name_other_program(content):
        exported = program in (ONNX_FILE, EXPORT_FILE)
        origin = "take the checkpoint that it was exported from, or " if exported else ""
        advice = f"{origin}save the network's state_dict() with torch.save instead"
        return f"it looks like {program}; {advice}"
    if not content.startswith((ZIP_START, PICKLE_START)):
        return OUR_FILES
    try:
        objects = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(content))
    except Exception:  # a legacy or damaged file, of which nothing more can be said
        objects = []
    if objects and "".join(objects).isprintable():
        return (
            f"it looks like a torch file with program objects ({name_some(objects)}), which are "
            "never loaded; save model.state_dict() alone where the file was made"
        )
    return f"it looks like a torch file that is damaged, or is none; {OUR_FILES}"


def _name_other_program(content: bytes) -> str | None:
    """Recognise files whose weights torch cannot read, or not without running their program."""
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        return "an HDF5 file, as Keras writes it"
    # its first field is ir_version, the second one the producer's name, domain or graph
    if content[:1] == b"\x08" and content[2:3] in (b"\x12", b"\x22", b"\x3a"):
        return ONNX_FILE
    if b"/archive_format" in content:
        return EXPORT_FILE
    return "a TorchScript file" if b"/constants.pkl" in content else None
