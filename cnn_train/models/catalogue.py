"""An architecture at a glance: what it is, how many parameters, how much work per image."""

from dataclasses import dataclass

import torch

from . import ARCHITECTURES
from .summary import summarize


@dataclass(frozen=True)
class ArchitectureSummary:
    """One architecture with its default settings; macs: multiply-adds for one image."""

    name: str
    description: str
    parameters: int
    macs: int


def summarize_architecture(
    name: str, num_classes: int, image_shape: tuple[int, int, int]
) -> ArchitectureSummary:
    """Measure one architecture on the meta device, where nothing is computed.

    Its config's docstring says what it is.
    """
    config_type = ARCHITECTURES[name]
    with torch.device("meta"):
        model = config_type(name=name).build(num_classes, image_shape)
    layers = summarize(model, image_shape)
    return ArchitectureSummary(
        name=name,
        description=(config_type.__doc__ or "").strip().rstrip("."),
        parameters=sum(layer.parameters for layer in layers),
        macs=sum(layer.macs for layer in layers),
    )
