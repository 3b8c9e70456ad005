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
    from ..experiment import ExperimentConfig
    from ..training.run import Job, load_images, load_session

    def load_settings() -> ExperimentConfig:
        experiment = load_experiment(config, overrides or (), ExperimentConfig)
        for warning in experiment.warnings():
            warn(warning)
        return experiment

    access = make_data_access(data_dir, offline)
    return load_session(
        Job(load_settings, lambda data: load_images(data.located(), access), device)
    )
