"""Optimisers and schedules: how weights follow the gradient. Add a new optimiser below."""

from .adamw import AdamWConfig
from .muon import MuonConfig
from .optimizer import OptimizerConfig
from .sgd import GDConfig, SGDConfig

OPTIMIZERS: dict[str, type[OptimizerConfig]] = {
    "sgd": SGDConfig,
    "gd": GDConfig,
    "muon": MuonConfig,
    "adamw": AdamWConfig,
}
