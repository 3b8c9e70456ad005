"""Make a checkpoint to share: all that using its model needs, nothing that only a resume needs."""

from copy import copy
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..experiment import ExperimentConfig
from .checkpoint import Checkpoint

StoredPrecision = Literal["float32", "float16"]

ENVIRONMENT_KEPT = ("cnn_train", "torch", "device", "processor")
"""What else there is matters to a run that goes on, and tells of the machine."""


def slim(
    checkpoint: Checkpoint, config: ExperimentConfig, source: str, precision: StoredPrecision
) -> Checkpoint:
    """Return the weights to use and what they mean, under ``config``; ``source`` names the file.

    It counts as imported: no run goes on from it. Raises CheckpointError where a weight is too
    large for ``precision``.
    """
    weights, facts = checkpoint.usable_weights, checkpoint.environment
    return replace(
        checkpoint,
        config=config.model_copy(update={"data": config.data.located()}).model_dump(mode="json"),
        model=_halve(weights, source) if precision == "float16" else weights,
        averaged_model=None,
        averaged_updates=0,
        optimizer={},
        generators={},
        partial_tally={},
        image_losses=None,
        environment={name: facts[name] for name in ENVIRONMENT_KEPT if name in facts},
        imported_from=checkpoint.imported_from or source,
    )


def _halve(weights: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """Round filters and matrices to float16; vectors stay as they are.

    Biases, norms and running statistics are few, and a variance may be too small for float16.
    """
    halved = copy(weights)  # with the versions of its layers
    for name, value in weights.items():
        if value.is_floating_point() and value.dim() > 1:
            halved[name] = value.half()
            if not halved[name].isfinite().all():
                raise CheckpointError(
                    f"{source}: {name} reaches {value.abs().max():.3g}, and float16 holds up to "
                    f"{torch.finfo(torch.float16).max:,.0f}; keep float32"
                )
    return halved
