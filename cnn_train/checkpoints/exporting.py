"""What an exported file says about its model, and its weights as a safetensors file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from safetensors.torch import save as to_safetensors

from ..config.loading import validate_settings
from ..data.normalization import Normalization
from ..errors import CheckpointError, ConfigError
from ..experiment import ExperimentConfig
from ..machine.atomic_file import write_atomically
from ..version import __version__
from .checkpoint import Checkpoint

RESAMPLING = "bicubic, antialiased"
"""How ``data/images/square.py:fit_square`` scales."""


class ModelDescription(BaseModel):
    """The metadata of an exported file, each stored as JSON: what bare weights or a graph lack.

    config: the resolved experiment. normalization: mean and std per channel, in units of 1 = 255.
    reading: how image files of other sizes become the network's; None: they are no square RGB.
    checkpoint_sha256: of the checkpoint that the file was made of. Older files lack what has a
    default here.
    """

    model_config = ConfigDict(frozen=True)

    config: dict[str, Any]
    class_names: tuple[str, ...] = Field(min_length=1)
    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    normalization: dict[str, tuple[float, ...]]
    data_fingerprints: dict[str, str] = Field(default_factory=dict)
    epoch: int = 0
    val_accuracy: float | None = None
    reading: dict[str, Any] | None = None
    checkpoint_sha256: str | None = None

    @classmethod
    def of(cls, checkpoint: Checkpoint, sha256: str | None = None) -> "ModelDescription":
        """Describe a checkpoint's model; ``sha256``: of the file that it was read from."""
        described = cls.model_validate(checkpoint, from_attributes=True)
        channels, height, width = described.image_shape
        reading = None
        if channels == 3 and height == width:
            config = validate_settings(described.config, "stored config", ExperimentConfig)
            reading = asdict(config.data.reading(height)) | {"resampling": RESAMPLING}
        return described.model_copy(update={"reading": reading, "checkpoint_sha256": sha256})

    def to_metadata(self) -> dict[str, str]:
        """Return the texts to store."""
        texts = {name: json.dumps(value) for name, value in self.model_dump().items()}
        return {"cnn_train": __version__, **texts}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "ModelDescription":
        """Read the texts of an exported file; raises ValueError where they are damaged."""
        stored = {name: json.loads(metadata[name]) for name in cls.model_fields if name in metadata}
        try:
            return cls.model_validate(stored)
        except ValidationError as problem:
            first = problem.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def read_description(
    metadata: dict[str, str], path: Path
) -> tuple[ModelDescription, ExperimentConfig, Normalization]:
    """Read the metadata of the exported file ``path``; raises CheckpointError for damaged ones."""
    try:
        stored = ModelDescription.from_metadata(metadata)
        config = validate_settings(stored.config, f"{path}: stored config", ExperimentConfig)
        return stored, config, Normalization(*(stored.normalization[k] for k in ("mean", "std")))
    except (ConfigError, KeyError, ValueError, RecursionError) as problem:
        raise CheckpointError(f"{path}: its metadata are damaged: {problem}") from None


def encode_weights(checkpoint: Checkpoint, description: ModelDescription) -> bytes:
    """Return the usable weights (averaged, where there are any) as a safetensors file, float32.

    Integer tensors keep their type. The metadata name torch as the source of the tensors.
    """
    tensors = {}  # contiguous copies, as the format demands
    for name, value in checkpoint.usable_weights.items():
        dtype = torch.float32 if value.is_floating_point() else value.dtype
        tensors[name] = value.detach().to(dtype, copy=True).contiguous()
    return to_safetensors(tensors, metadata={"format": "pt", **description.to_metadata()})


def export_weights(checkpoint: Checkpoint, out: Path, sha256: str | None = None) -> None:
    """Write a safetensors file atomically; ``sha256``: of the checkpoint's file.

    Raises ResourceError where the disk is full or refuses.
    """
    write_atomically(out, encode_weights(checkpoint, ModelDescription.of(checkpoint, sha256)))
