"""What commands load first: settings, access to datasets, a trained model, a new session."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.location import resolve_data_dir
from ..errors import CheckpointError, UsageError
from .console import notice, progress, warn

if TYPE_CHECKING:
    from ..data.dataset import DataAccess, DatasetConfig
    from ..experiment import ExperimentConfig
    from ..inference.trained_model import TrainedModel
    from ..training.session import Session


def load_settings(
    config: str | Path, overrides: Sequence[str] | None, text: str | None = None
) -> "ExperimentConfig":
    """Load a config with its overrides; ``text``: what it says, where that is known already.

    Warns of settings of the file that the overrides drop without naming them.
    """
    from ..config.loading import load_experiment
    from ..experiment import ExperimentConfig

    return load_experiment(config, overrides or (), ExperimentConfig, text=text, warn=warn)


def change_settings(
    settings: "ExperimentConfig", overrides: Sequence[str], source: str
) -> "ExperimentConfig":
    """Apply overrides to settings that are valid already, of ``source``; raises ConfigError."""
    if not overrides:
        return settings
    from ..config.explain import render_yaml

    return load_settings(source, overrides, render_yaml(settings))


def make_data_access(
    data_dir: Path | None, offline: bool = False, *, verify: bool = False
) -> "DataAccess":
    """Let datasets report on the terminal; ``data_dir`` None means the default folder."""
    from ..data.dataset import DataAccess

    return DataAccess(resolve_data_dir(data_dir), offline, verify, progress, notice)


def choose_checkpoint(given: Path | None, run_root: Path) -> Path:
    """Return the checkpoint given, else the latest run's best, else the best that ships; say that.

    Raises CheckpointError for a run without one.
    """
    from ..checkpoints.pretrained import list_cards
    from ..runs.directory import find_checkpoint, latest_best_checkpoint

    path = find_checkpoint(given) if given else latest_best_checkpoint(run_root)
    if path is None:
        best = list_cards()[0]
        path = Path(best.address)
        notice(f"no trained model below {run_root}, so {path} answers: {best.summary}")
    return path


def open_model(
    path: Path, device: str, *, exact: bool = False, layers_for: str | None = None
) -> "TrainedModel":
    """Load a checkpoint's model; say where it runs, and how: as trained, or ``exact``, in float32.

    layers_for: the command that looks into the network, as one in an exported file does not allow.
    """
    from ..inference.trained_model import ONNX, load_trained_model

    if layers_for and path.suffix == ONNX:
        raise UsageError(
            f"{path}: {layers_for} needs the network's layers, which an {ONNX} file does not show; "
            "name the checkpoint that it was exported from"
        )
    trained = load_trained_model(path, device)
    trained = trained.in_float32() if exact else trained
    where = trained.device
    notice(f"{path} on {where.torch_device} ({where.reason}), {trained.precision.name}")
    return trained


def evaluate_command(checkpoint: Path, data: "DatasetConfig", places: str = "") -> str:
    """Return the command that measures a checkpoint on images that there are.

    ``places``: the options that say where they lie.
    """
    split = "" if data.has_split("test") else " --split val"
    here = "./" if str(checkpoint).startswith("-") else ""  # else it would be read as an option
    return f"cnn-train evaluate {shlex.quote(f'{here}{checkpoint}')}{split}{places}"


def build_untrained_session(
    config: str | Path,
    overrides: list[str] | None,
    device: str,
    data_dir: Path | None,
    offline: bool,
    text: str | None = None,
) -> "Session":
    """Build what ``fit`` would train, and warn as it does; nothing is written.

    ``text``: what the config says, where that is known already.
    """
    from ..training.run import Job, load_images, load_session

    def load_and_warn() -> "ExperimentConfig":
        experiment = load_settings(config, overrides, text)
        for warning in experiment.warnings():
            warn(warning)
        return experiment

    access = make_data_access(data_dir, offline)
    return load_session(
        Job(load_and_warn, lambda data: load_images(data.located(), access), device)
    )


def build_session_at(
    path: Path, device: str, data_dir: Path | None, offline: bool, data_root: Path | None = None
) -> "Session":
    """Build the session of a run as it was when a checkpoint of it was saved; nothing is written.

    Raises CheckpointError where the file holds weights alone, or where the images are others.
    """
    from ..checkpoints.checkpoint import load_checkpoint
    from ..checkpoints.inspection import checkpoint_config
    from ..runs.directory import find_checkpoint
    from ..training.resuming import resume_session
    from ..training.run import Job, load_images, load_session

    path = find_checkpoint(path)
    checkpoint = load_checkpoint(path)
    if checkpoint.imported_from is not None:
        raise CheckpointError(
            f"{path}: holds the weights of {checkpoint.imported_from} alone: no step of a run to "
            "take; name a checkpoint that fit saved"
        )
    config, access = checkpoint_config(checkpoint, str(path)), make_data_access(data_dir, offline)

    def fill_in(session: "Session") -> None:
        try:
            resume_session(session, checkpoint)
        except CheckpointError as problem:
            reason = str(problem).removeprefix("cannot resume: ")
            raise CheckpointError(f"{path}: {reason}") from None

    return load_session(
        Job(
            lambda: config,
            lambda data: load_images(data.moved_to(data_root), access),
            device,
            checkpoint.limit_batches,
            fill_in=fill_in,
        )
    )
