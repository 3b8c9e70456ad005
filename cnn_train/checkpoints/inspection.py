"""What a checkpoint file says about itself, and whether it is whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..config.loading import validate_settings
from ..errors import CheckpointError, ConfigError
from ..experiment import ExperimentConfig
from .checkpoint import Checkpoint, load_checkpoint


@dataclass(frozen=True)
class Verdict:
    """Whether a file is an intact checkpoint; if not, ``problem`` says why in one line."""

    path: str
    ok: bool
    problem: str | None
    epochs_done: int | None
    step: int | None


def verify_checkpoints(paths: list[Path]) -> Iterator[Verdict]:
    """Read each file, or each checkpoint in a run directory; yield a verdict for every one."""
    for path in paths:
        inside = sorted(path.glob("*.ckpt")) if path.is_dir() else []
        for file in inside or [path]:
            try:
                checkpoint = load_checkpoint(file)
            except CheckpointError as problem:
                yield Verdict(str(file), False, str(problem), None, None)
            else:
                yield Verdict(str(file), True, None, checkpoint.epoch, checkpoint.step)


def checkpoint_config(checkpoint: Checkpoint, source: str) -> ExperimentConfig:
    """Validate the config stored in ``checkpoint``; raises CheckpointError where it is not one."""
    try:
        return validate_settings(checkpoint.config, f"{source}: stored config", ExperimentConfig)
    except ConfigError as problem:
        raise CheckpointError(str(problem)) from None
