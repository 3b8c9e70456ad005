"""The trained model of the commands that use one."""

from pathlib import Path
from typing import TYPE_CHECKING

from .console import notice

if TYPE_CHECKING:
    from ..inference.trained_model import TrainedModel


def open_model(path: Path, device: str, precision: str | None = None) -> "TrainedModel":
    """Load a checkpoint's model; say where and in which precision (None: its own) it runs."""
    from ..inference.trained_model import load_trained_model

    trained = load_trained_model(path, device)
    where = trained.device
    exactness = precision or trained.precision.name
    notice(f"{path} on {where.torch_device} ({where.reason}), {exactness}")
    return trained
