"""What a checkpoint file says about itself, and whether it is whole."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..config.loading import validate_settings
from ..errors import CheckpointError, ConfigError
from ..experiment import ExperimentConfig
from .checkpoint import Checkpoint, load_checkpoint, parse_checkpoint, read_verified


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint that was read and verified, and the file it came from."""

    path: str
    num_bytes: int
    format_version: int
    digest: str
    checkpoint: Checkpoint

    @property
    def num_values(self) -> int:
        """Count the numbers in the usable weights, running statistics included."""
        return sum(tensor.numel() for tensor in self.checkpoint.usable_weights.values())

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``checkpoint show --json`` prints; epochs count from 0."""
        checkpoint = self.checkpoint
        return {
            "path": self.path,
            "num_bytes": self.num_bytes,
            "format_version": self.format_version,
            "sha256": self.digest,
            "imported_from": checkpoint.imported_from,
            "config": checkpoint.config,
            "class_names": checkpoint.class_names,
            "image_shape": checkpoint.image_shape,
            "normalization": checkpoint.normalization,
            "data_fingerprints": checkpoint.data_fingerprints,
            "epochs_done": checkpoint.epoch,
            "position": checkpoint.position,
            "step": checkpoint.step,
            "val_accuracy": checkpoint.val_accuracy,
            "num_values": self.num_values,
            "has_averaged_weights": checkpoint.averaged_model is not None,
            "can_go_on": checkpoint.imported_from is None,
            "limit_batches": checkpoint.limit_batches,
            "config_changes": checkpoint.config_changes,
            "precision": checkpoint.precision,
            "environment": checkpoint.environment,
        }


@dataclass(frozen=True)
class Verdict:
    """Whether a file is an intact checkpoint; if not, ``problem`` says why in one line."""

    path: str
    ok: bool
    problem: str | None
    epochs_done: int | None
    step: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``checkpoint verify --json``."""
        return asdict(self)


def open_checkpoint(path: Path) -> CheckpointFile:
    """Read and verify a checkpoint file; raises CheckpointError."""
    file = read_verified(path)
    checkpoint = parse_checkpoint(file, path)
    return CheckpointFile(str(path), file.num_bytes, file.version, file.digest, checkpoint)


def verify_checkpoints(paths: list[Path]) -> Iterator[Verdict]:
    """Read each file, or each checkpoint in a run directory; yield a verdict for every one."""
    for path in paths:
        inside = sorted(path.glob("*.ckpt")) if path.is_dir() else []
        for file in inside or [path]:
            yield _verify(file)


def _verify(path: Path) -> Verdict:
    try:
        checkpoint = load_checkpoint(path)
    except CheckpointError as problem:
        return Verdict(str(path), False, str(problem), None, None)
    return Verdict(str(path), True, None, checkpoint.epoch, checkpoint.step)


def checkpoint_config(checkpoint: Checkpoint, source: str) -> ExperimentConfig:
    """Validate the config stored in ``checkpoint``; raises CheckpointError where it is not one."""
    try:
        return validate_settings(checkpoint.config, f"{source}: stored config", ExperimentConfig)
    except ConfigError as problem:
        raise CheckpointError(str(problem)) from None
