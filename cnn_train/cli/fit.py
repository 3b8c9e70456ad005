"""``cnn-train fit``: train a model from a config."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
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
    from ..data.dataset import DatasetConfig
    from ..data.image_set import ImageSet
    from ..distributed import World
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
    from .processes import joined_processes

    with joined_processes() as world:
        changes = [*(overrides or []), *([] if seed is None else [f"seed={seed}"])]
        _require_one_way(config, resume, bool(changes or name or limit_batches))
        if resume is not None:
            _go_on(resume, device, data_dir, data_root, offline, world, dry_run, as_json)
            return
        assert config is not None
        text = world.tell("config", _read_text(config) if world.is_first else None)
        session = _start(config, text, changes, device, data_dir, offline, limit_batches, world)
        if dry_run:
            _show_dry_run(session, as_json)
            return
        stem = "stdin" if str(config) == "-" else config.stem
        run = _create_run(session, run_root, name or stem, text)
        with _locked(run, world):
            _train(session, run, as_json)


def _require_one_way(config: Path | None, resume: Path | None, changed: bool) -> None:
    """Refuse to start and to go on at once, and to go on with other settings; UsageError."""
    from ..errors import UsageError

    if (config is None) == (resume is None):
        raise UsageError("fit needs either --config CONFIG or --resume RUN")
    if resume and changed:
        raise UsageError(
            "--resume goes on with the run's own settings; "
            "--set, --seed, --name and --limit-batches start a new run with --config"
        )


def _read_text(config: Path) -> str:
    from ..config.source import read_text

    return read_text(config)


def _go_on(
    path: Path,
    device: str,
    data_dir: Path | None,
    data_root: Path | None,
    offline: bool,
    world: "World",
    dry_run: bool,
    as_json: bool,
) -> None:
    """Go on with a run from its last checkpoint, or only say what would run."""
    from ..run_directory import find_run

    run = find_run(path)
    with _locked(run, world):
        session = _resume(run, device, data_dir, data_root, offline, world)
        if dry_run:
            _show_dry_run(session, as_json)
            return
        if world.is_first:
            run.mark_latest()
        _train(session, run, as_json)


@contextmanager
def _locked(run: "RunDirectory", world: "World") -> Iterator[None]:
    """Lock the run in the first process; the others wait until it is locked."""
    with run.locked() if world.is_first else nullcontext():
        world.meet("the run directory is locked")
        yield


def _show_dry_run(session: "Session", as_json: bool) -> None:
    from .console import print_json
    from .training_display import describe_plan, show_plan

    show_plan(session, run=None)
    if as_json:
        print_json({"dry_run": True, "plan": describe_plan(session, run=None)})


def _train(session: "Session", run: "RunDirectory", as_json: bool) -> None:
    from ..distributed import lost_processes_explained
    from .console import print_json
    from .training_display import show_plan, train_and_show

    show_plan(session, run)
    go_on = f"; nothing is lost. Go on from its last checkpoint: fit --resume {run.path}"
    with lost_processes_explained(go_on) if session.world.size > 1 else nullcontext():
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
    world: "World",
) -> "Session":
    """Build a fresh session from a config and its overrides."""
    from ..config.experiment import ExperimentConfig
    from ..config.loading import load_experiment
    from ..data_parallel import device_of
    from ..session import build_session
    from .console import warn

    experiment = load_experiment(config, overrides, ExperimentConfig, text=text)
    for warning in experiment.warnings():
        warn(warning)
    experiment = experiment.model_copy(update={"data": experiment.data.located()})
    chosen = device_of(world, device)
    train, val = _load_images(experiment.data, data_dir, offline, world)
    return build_session(experiment, train, val, chosen, limit_batches, world)


def _load_images(
    data: "DatasetConfig", data_dir: Path | None, offline: bool, world: "World"
) -> tuple["ImageSet", "ImageSet"]:
    """Load (train, validation); of several processes, all go on when all have the same images."""
    from ..data.splits import load_training_splits
    from ..data_parallel import check_same_images
    from .data_access import make_data_access

    with world.first_on_each_machine("images"):
        train, val = load_training_splits(data, make_data_access(data_dir, offline))
    world.meet("all images are loaded")
    check_same_images(train, val, world)
    return train, val


def _resume(
    run: "RunDirectory",
    device: str,
    data_dir: Path | None,
    data_root: Path | None,
    offline: bool,
    world: "World",
) -> "Session":
    """Rebuild a run's session from its last checkpoint."""
    from ..checkpoint import load_checkpoint
    from ..data_parallel import device_of
    from ..session import build_session, resume_session
    from ..trained_model import checkpoint_config

    checkpoint = load_checkpoint(run.last_checkpoint)
    experiment = checkpoint_config(checkpoint, str(run.last_checkpoint))
    chosen = device_of(world, device)
    train, val = _load_images(experiment.data.moved_to(data_root), data_dir, offline, world)
    session = build_session(experiment, train, val, chosen, checkpoint.limit_batches, world)
    resume_session(session, checkpoint)
    _say_where_bits_may_differ(checkpoint, session)
    return session


def _say_where_bits_may_differ(checkpoint: "Checkpoint", session: "Session") -> None:
    """Warn when the machine is not the one the run began on, so the bits may differ."""
    from ..session import describe_environment
    from .console import warn

    environment = describe_environment(session.device, session.world)
    now = environment | {"precision": session.precision.name}
    before = {"processes": "1"} | checkpoint.environment | {"precision": checkpoint.precision}
    for key in ("torch", "device", "processor", "threads", "processes", "precision"):
        if now[key] != before[key]:
            warn(
                f"resuming with {key} {now[key]} instead of {before[key]}: "
                "training goes on, but not bit for bit as it would have"
            )


def _create_run(session: "Session", run_root: Path, name: str, text: str) -> "RunDirectory":
    """Make the run directory and write down what was asked for and what is in force.

    The first process does; the others learn where it is.
    """
    from ..atomic_file import write_atomically
    from ..config.explain import render_yaml
    from ..run_directory import RunDirectory
    from ..session import describe_environment

    world = session.world
    if not world.is_first:
        return RunDirectory(Path(world.tell("run directory")))
    run = RunDirectory.create(run_root, name)
    environment: dict[str, Any] = {
        **describe_environment(session.device, world),
        "device_reason": session.device.reason,
        "precision": session.precision.name,
        "precision_reason": session.precision.reason,
    }
    run.save_json(run.environment, environment)
    write_atomically(run.given_config, text.encode())
    write_atomically(run.resolved_config, render_yaml(session.config).encode())
    world.tell("run directory", str(run.path))
    return run
