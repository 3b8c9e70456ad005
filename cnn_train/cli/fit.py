"""``cnn-train fit``: train a model from a config."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    DataDirOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    RunRootOption,
    SetOption,
)

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from ..run_directory import RunDirectory
    from ..session import Session


def fit(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="YAML config; - reads standard input.")
    ] = None,
    overrides: SetOption = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="Go on with this run directory, exactly."),
    ] = None,
    device: DeviceOption = "auto",
    seed: Annotated[int | None, typer.Option("--seed", help="Short for --set seed=N.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run; default: the config's name.")
    ] = None,
    run_root: RunRootOption = Path("runs"),
    data_dir: DataDirOption = None,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", help="With --resume: where the images lie now, if they moved."),
    ] = None,
    offline: OfflineOption = False,
    limit_batches: Annotated[
        int | None,
        typer.Option(
            "--limit-batches", min=1, help="Train on only the first N minibatches of every epoch."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, say what would run, stop.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model: cnn-train fit --config CONFIG [--set optimizer.lr=0.05]."""
    from ..config.source import read_text
    from ..errors import UsageError
    from ..run_directory import find_run

    if (config is None) == (resume is None):
        raise UsageError("fit needs either --config CONFIG or --resume RUN")
    if config is not None:
        text = read_text(config)
        seeds = [] if seed is None else [f"seed={seed}"]
        changes = [*(overrides or []), *seeds]
        session = _start(config, text, changes, device, data_dir, offline, limit_batches)
        if dry_run:
            _show_dry_run(session, as_json)
            return
        stem = "stdin" if str(config) == "-" else config.stem
        run = _create_run(session, run_root, name or stem, text)
        with run.locked():
            _train(session, run, as_json)
        return
    if overrides or seed is not None or name or limit_batches:
        raise UsageError(
            "--resume goes on with the run's own settings; "
            "--set, --seed, --name and --limit-batches start a new run with --config"
        )
    assert resume is not None
    run = find_run(resume)
    with run.locked():
        session = _resume(run, device, data_dir, data_root, offline)
        if dry_run:
            _show_dry_run(session, as_json)
            return
        run.mark_latest()
        _train(session, run, as_json)


def _show_dry_run(session: "Session", as_json: bool) -> None:
    from .console import print_json
    from .training_display import describe_plan, show_plan

    show_plan(session, run=None)
    if as_json:
        print_json({"dry_run": True, "plan": describe_plan(session, run=None)})


def _train(session: "Session", run: "RunDirectory", as_json: bool) -> None:
    from .console import print_json
    from .training_display import show_plan, train_and_show

    show_plan(session, run)
    summary = train_and_show(session, run)
    if as_json:
        print_json(summary)


def _start(
    config: Path,
    text: str,
    overrides: list[str],
    device: str,
    data_dir: Path | None,
    offline: bool,
    limit_batches: int | None,
) -> "Session":
    """Build a fresh session from a config and its overrides."""
    from ..config.experiment import ExperimentConfig
    from ..config.loading import load_experiment
    from ..data.splits import load_training_splits
    from ..device import resolve_device
    from ..session import build_session
    from .console import warn
    from .data_access import make_data_access

    experiment = load_experiment(config, overrides, ExperimentConfig, text=text)
    for warning in experiment.warnings():
        warn(warning)
    experiment = experiment.model_copy(update={"data": experiment.data.located()})
    chosen = resolve_device(device)
    train, val = load_training_splits(experiment.data, make_data_access(data_dir, offline))
    return build_session(experiment, train, val, chosen, limit_batches)


def _resume(
    run: "RunDirectory",
    device: str,
    data_dir: Path | None,
    data_root: Path | None,
    offline: bool,
) -> "Session":
    """Rebuild a run's session from its last checkpoint."""
    from ..checkpoint import load_checkpoint
    from ..data.splits import load_training_splits
    from ..device import resolve_device
    from ..session import build_session, resume_session
    from ..trained_model import checkpoint_config
    from .data_access import make_data_access

    checkpoint = load_checkpoint(run.last_checkpoint)
    experiment = checkpoint_config(checkpoint, str(run.last_checkpoint))
    chosen = resolve_device(device)
    access = make_data_access(data_dir, offline)
    train, val = load_training_splits(experiment.data.moved_to(data_root), access)
    session = build_session(experiment, train, val, chosen, checkpoint.limit_batches)
    resume_session(session, checkpoint)
    _say_where_bits_may_differ(checkpoint, session)
    return session


def _say_where_bits_may_differ(checkpoint: "Checkpoint", session: "Session") -> None:
    """Warn when the machine is not the one the run began on, so the bits may differ."""
    from ..session import describe_environment
    from .console import warn

    now = describe_environment(session.device) | {"precision": session.precision.name}
    before = checkpoint.environment | {"precision": checkpoint.precision}
    for key in ("torch", "device", "processor", "threads", "precision"):
        if now[key] != before[key]:
            warn(
                f"resuming with {key} {now[key]} instead of {before[key]}: "
                "training goes on, but not bit for bit as it would have"
            )


def _create_run(session: "Session", run_root: Path, name: str, text: str) -> "RunDirectory":
    """Make the run directory and write down what was asked for and what is in force."""
    from ..atomic_file import write_atomically
    from ..config.explain import render_yaml
    from ..run_directory import RunDirectory
    from ..session import describe_environment

    run = RunDirectory.create(run_root, name)
    environment: dict[str, Any] = {
        **describe_environment(session.device),
        "device_reason": session.device.reason,
        "precision": session.precision.name,
        "precision_reason": session.precision.reason,
    }
    run.save_json(run.environment, environment)
    write_atomically(run.given_config, text.encode())
    write_atomically(run.resolved_config, render_yaml(session.config).encode())
    return run
