"""The session that ``fit`` would train, for the commands that only look at it."""

from pathlib import Path
from typing import TYPE_CHECKING

from .console import warn
from .data_access import make_data_access

if TYPE_CHECKING:
    from ..training.session import Session


def build_untrained_session(
    config: Path, overrides: list[str] | None, device: str, data_dir: Path | None, offline: bool
) -> "Session":
    """Build it from a config file and overrides, and warn as ``fit`` does; nothing is written."""
    from ..config.loading import load_experiment
    from ..data.splits import load_training_splits
    from ..experiment import ExperimentConfig
    from ..machine.device import resolve_device
    from ..training.building import build_session

    experiment = load_experiment(config, overrides or (), ExperimentConfig)
    for warning in experiment.warnings():
        warn(warning)
    chosen = resolve_device(device)
    access = make_data_access(data_dir, offline)
    train, val = load_training_splits(experiment.data.located(), access)
    return build_session(experiment, train, val, chosen)
