"""What a checkpoint file says about itself, and whether it is whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..config.loading import validate_settings
from ..errors import CheckpointError, ConfigError
from ..experiment import ExperimentConfig
from .checkpoint import Checkpoint, load_checkpoint
from .fitting import Blueprint
from .matching import find_misfits


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
        patterns = ("*.ckpt", "history/*.ckpt") if path.is_dir() else ()
        inside = [file for pattern in patterns for file in sorted(path.glob(pattern))]
        for file in inside or [path]:
            try:
                checkpoint = load_checkpoint(file)
            except CheckpointError as problem:
                yield Verdict(str(file), False, str(problem), None, None)
            else:
                yield Verdict(str(file), True, None, checkpoint.epoch, checkpoint.step)


def checkpoint_config(checkpoint: Checkpoint, source: str) -> ExperimentConfig:
    """Validate the config stored in ``checkpoint``, and that its network is that of the weights.

    The network is not built, however large it may be. Raises CheckpointError.
    """
    try:
        config = validate_settings(checkpoint.config, "stored config", ExperimentConfig)
        if not checkpoint.class_names:  # a file of another program, whose network it was matched to
            return config
        num_classes, (channels, height, width) = len(checkpoint.class_names), checkpoint.image_shape
        network = Blueprint(config.model, num_classes, (channels, height, width)).outline()
    except ConfigError as problem:
        raise CheckpointError(
            "\n".join(f"{source}: {line}" for line in str(problem).splitlines())
        ) from None
    for weights in filter(None, (checkpoint.model, checkpoint.averaged_model)):
        misfits, problems = find_misfits(weights, network.state_dict())
        if misfits:
            raise CheckpointError(f"{source}: weights do not fit its model: {problems}")
    return config
