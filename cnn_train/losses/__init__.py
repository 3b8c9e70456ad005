"""Losses and λR(W): what training makes small. A new loss is a file here and a line below."""

from .cross_entropy import CrossEntropyConfig
from .hinge import HingeConfig
from .loss import LossConfig

LOSSES: dict[str, type[LossConfig]] = {"hinge": HingeConfig, "cross_entropy": CrossEntropyConfig}
