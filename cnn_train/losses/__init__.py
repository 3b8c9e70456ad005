"""Losses and λR(W), which training minimises. Add a new loss as a file here and a line below."""

from .cross_entropy import CrossEntropyConfig
from .hinge import HingeConfig
from .loss import LossConfig

LOSSES: dict[str, type[LossConfig]] = {"hinge": HingeConfig, "cross_entropy": CrossEntropyConfig}
