"""How ``cnn-train fit --resume`` goes on with a run."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from math import isclose
from pathlib import Path

from torch import are_deterministic_algorithms_enabled

from ...checkpoints.checkpoint import Checkpoint
from ...checkpoints.inspection import checkpoint_config
from ...config.differences import Difference
from ...errors import CheckpointError, UsageError, name_some
from ...experiment import ExperimentConfig
from ...machine.environment import describe_environment
from ...runs.directory import LATEST, RunDirectory, find_run, newest_run
from ...runs.history import split_step
from ...runs.states import FoundCheckpoint, WayBack, go_back, look_back
from ...training.fit import Supervision
from ...training.progress import EpochRecord
from ...training.resuming import checked_changes, find_state, is_finished, resume_session
from ...training.run import Job, load_session, train_job
from ...training.session import Session
from ..console import notice, warn
from ..loading import change_settings
from .starting import FitRequest, locked, record_settings, start
from .training_display import show_dry_run


def trained(request: FitRequest) -> Generator[tuple[Session, EpochRecord]]:
    """Begin the run asked for, or go on with it, as :func:`train_job` does; stop when you like."""
    path = find_path(request) if request.resume else None
    if path is not None and split_step(path)[1] is not None:
        raise UsageError(
            f"--resume {path}: a run goes on from its last state; to start a new run from this "
            "one, add --branch NAME"
        )
    return start(request) if path is None else go_on(request, path)


def go_on(request: FitRequest, path: Path) -> Generator[tuple[Session, EpochRecord]]:
    """Go on with the run at ``path`` to its end."""
    run = find_run(path)
    with locked(run, request.world):
        state = find_state(run, path)
        for complaint in state.damaged:
            warn(f"{complaint}; going on from {state.path.name} instead")
        yield from go_on_from(state, run, request)


def go_on_from(
    state: FoundCheckpoint, run: RunDirectory, request: FitRequest
) -> Generator[tuple[Session, EpochRecord]]:
    """Train a locked run from one of its states to its end."""
    before = checkpoint_config(state.checkpoint, str(state.path))
    after, limit = asked_settings(request, before, state.checkpoint)
    limits = (state.checkpoint.limit_batches, limit)
    changes = checked_changes(before, after, limits, request.allow_config_change or ())
    finished = is_finished(state, run, after)
    if finished:
        for change in changes:
            warn(f"no epoch is left to train, so nothing is recorded of {change}")
        after = after.model_copy(update={"best_by": before.best_by})
    way: WayBack | None = None
    if request.world.is_first:
        way = look_back(run, state, after.best_by, anew=after.best_by != before.best_by)
    best_epoch = request.world.tell("best epoch", way.best_epoch if way else None)

    def fill_in(session: Session) -> None:
        restore(session, state, changes, best_epoch)
        say_what_is_different(state.checkpoint, session, [] if finished else changes)
        if way:
            say_what_is_given_up(way, run)

    def supervise(session: Session) -> AbstractContextManager[Supervision]:
        if way:
            go_back(run, way)
        if way and not finished:
            run.mark_latest()
            record_settings(session, run)
        return request.supervise(session, run, data_root=request.data_root)

    yield from shown_or_trained(request, request.job(lambda: after, limit, fill_in), supervise)


def shown_or_trained(
    request: FitRequest,
    job: Job,
    supervise: Callable[[Session], AbstractContextManager[Supervision]],
) -> Generator[tuple[Session, EpochRecord]]:
    """Do a job that begins with a state; in a dry run, only show what it would do."""
    if request.dry_run:
        show_dry_run(load_session(job), as_json=request.as_json)
    else:
        yield from train_job(job, supervise)


def restore(
    session: Session, state: FoundCheckpoint, changes: list[Difference], best_epoch: int
) -> None:
    """Bring a fresh session to a state; raises CheckpointError, which names its file."""
    try:
        resume_session(session, state.checkpoint, changes)
    except CheckpointError as problem:
        raise CheckpointError(f"{state.path}: {problem}") from None
    session.progress.set_best(best_epoch)


def find_path(request: FitRequest) -> Path | None:
    """Return the run or checkpoint to go on from; None where ``auto`` finds no run."""
    assert request.resume is not None
    if str(request.resume) != "auto" or request.config is None:
        advice = "is for a new run; leave it out, or use --resume auto with --config"
        request.refuse("--name --weights --new-head --sanity", advice)
        return request.run_root / LATEST if str(request.resume) == "auto" else request.resume
    run = newest_run(request.run_root, request.run_name) if request.world.is_first else None
    newest = request.world.tell("run to go on with", str(run.path) if run else None)
    if newest is None:
        notice(f"no run called {request.run_name} below {request.run_root}: starting one")
    return Path(newest) if newest else None


def asked_settings(
    request: FitRequest, before: ExperimentConfig, checkpoint: Checkpoint
) -> tuple[ExperimentConfig, int | None]:
    """Return the settings and ``--limit-batches`` to go on with: by default the run's own."""
    if request.config is not None:
        after = request.load_settings()
        if "split" not in after.data.model_fields_set:  # an older run keeps its own
            data = after.data.model_copy(update={"split": before.data.split})
            after = after.model_copy(update={"data": data})
        return after, request.limit_batches
    limit = request.limit_batches or checkpoint.limit_batches
    return change_settings(before, request.changes, "the run's settings"), limit


def say_what_is_given_up(way: WayBack, run: RunDirectory) -> None:
    """Name what of the run will be deleted, and where its best epoch will be another one."""
    first, last, best = way.epochs.start + 1, way.epochs.stop, run.best_checkpoint
    epochs = [f"epoch {first}" if first == last else f"epochs {first} to {last}"]
    files = [str(path.relative_to(run.path)) for path in way.later]
    gone = [*(epochs if way.epochs else []), *files]
    if gone:
        warn(f"going back to {way.state.path.name}; will be deleted: {name_some(gone)}")
    if way.best is None and best.exists():
        warn(f"{best.name} will be deleted; the next epoch will be the best")
    if way.best and not (best.exists() and best.samefile(way.best)):
        which = f"epoch {way.best_epoch + 1} ({way.best.name})"
        warn(f"{best.name} becomes {which}, the best that a checkpoint is left of")


def say_what_is_different(
    checkpoint: Checkpoint, session: Session, changes: list[Difference]
) -> None:
    """Name what was changed on purpose; warn where another machine may give other bits."""
    for change in changes:
        notice(f"changed on the way: {change}")
    if changes and session.progress.step:
        group = checkpoint.optimizer["param_groups"][0]
        last = checkpoint.config["optimizer"]["lr"] * group["lr"] / group["initial_lr"]
        if not isclose(session.learning_rate(), last, rel_tol=0.1):  # the old schedule went on
            factor = session.schedule(session.progress.schedule_step)
            following = session.config.optimizer.lr * factor
            notice(f"learning rate: {last:.3g} at the last update, {following:.3g} at the next")
    environment = describe_environment(session.device, session.world)
    now = environment | {"precision": session.precision.name}
    before = {"processes": "1"} | checkpoint.environment | {"precision": checkpoint.precision}
    for key in ("torch", "device", "processor", "threads", "processes", "precision"):
        if now[key] != (was := before.get(key, "not known")):
            warn(
                f"resuming with {key} {now[key]} instead of {was}: "
                "training goes on, but not bit for bit as it would have"
            )
    if session.device.torch_device.type != "cpu" and not are_deterministic_algorithms_enabled():
        warn("a GPU gives the same bits twice only with --deterministic")
