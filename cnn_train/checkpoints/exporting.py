"""Export a model as a safetensors file: its weights, and metadata that describe the model."""

import json
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from safetensors.torch import save as to_safetensors

from ..machine.atomic_file import write_atomically
from ..version import __version__
from .checkpoint import Checkpoint


class ModelDescription(BaseModel):
    """The metadata of an exported file, each stored as JSON: what a bare state dict lacks.

    config: the resolved experiment. normalization: mean and std per channel, in units of 1 = 255.
    """

    model_config = ConfigDict(frozen=True)

    config: dict[str, Any]
    class_names: tuple[str, ...] = Field(min_length=1)
    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    normalization: dict[str, tuple[float, ...]]

    def to_metadata(self) -> dict[str, str]:
        """Return the texts to store; ``format`` names torch as the source of the tensors."""
        texts = {name: json.dumps(value) for name, value in self.model_dump().items()}
        return {"format": "pt", "cnn_train": __version__, **texts}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "ModelDescription":
        """Read the texts of an exported file; raises ValueError where they are damaged."""
        stored = {name: json.loads(metadata.get(name, "null")) for name in cls.model_fields}
        try:
            return cls.model_validate(stored)
        except ValidationError as problem:
            first = problem.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def export_weights(checkpoint: Checkpoint, out: Path) -> None:
    """Write the usable weights (averaged, where there are any) as float32, atomically.

    Integer tensors keep their type. Raises ResourceError where the disk is full or refuses.
    """
    tensors = {}  # contiguous copies, as the format demands
    for name, value in checkpoint.usable_weights.items():
        dtype = torch.float32 if value.is_floating_point() else value.dtype
        tensors[name] = value.detach().to(dtype, copy=True).contiguous()
    description = ModelDescription.model_validate(checkpoint, from_attributes=True)
    write_atomically(out, to_safetensors(tensors, metadata=description.to_metadata()))
