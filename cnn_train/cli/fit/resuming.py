"""How ``cnn-train fit --resume`` goes on with a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import are_deterministic_algorithms_enabled

from ...checkpoints.checkpoint import Checkpoint
from ...checkpoints.inspection import checkpoint_config
from ...config.differences import Difference
from ...config.explain import render_yaml
from ...config.loading import validate
from ...config.overrides import apply_overrides
from ...config.yaml_reader import parse_document
from ...errors import CheckpointError, UsageError
from ...experiment import ExperimentConfig
from ...machine.environment import describe_environment
from ...runs.directory import LATEST, RunDirectory, find_run
from ...runs.states import FoundCheckpoint, make_last
from ...training.fit import Supervision
from ...training.resuming import checked_changes, find_state, newest_run, resume_session
from ...training.run import load_session, train_job
from ...training.session import Session
from ..console import notice, warn
from .starting import FitRequest, locked, record_settings
from .training_display import show_dry_run, show_epoch, supervised

AUTO = "auto"


def go_on(request: FitRequest) -> bool:
    """Go on with the run asked for; False where ``auto`` finds none and a new one is to begin."""
    path = find_path(request)
    if path is None:
        return False
    run = find_run(path)
    with locked(run, request.world):
        state = find_state(run, path)
        for complaint in state.damaged:
            warn(f"{complaint}; going on from {state.path.name} instead")
        go_on_from(state, run, request)
    return True


def go_on_from(state: FoundCheckpoint, run: RunDirectory, request: FitRequest) -> None:
    """Train a locked run from one of its states to its end."""
    before = checkpoint_config(state.checkpoint, str(state.path))
    after, limit = asked_settings(request, before, state.checkpoint)
    limits = (state.checkpoint.limit_batches, limit)
    changes = checked_changes(before, after, limits, request.allow_config_change or ())

    def fill_in(session: Session) -> None:
        try:
            resume_session(session, state.checkpoint, changes)
        except CheckpointError as problem:
            raise CheckpointError(f"{state.path}: {problem}") from None
        say_what_is_different(state.checkpoint, session, changes)

    @contextmanager
    def supervise(session: Session) -> Iterator[Supervision]:
        if request.world.is_first:
            run.mark_latest()
            make_last(run, state.path)
            if changes:
                record_settings(session, run)
        with supervised(
            session, run, request.as_json, data_dir=request.data_dir, data_root=request.data_root
        ) as started:
            yield started

    job = request.job(lambda: after, limit, fill_in)
    if request.dry_run:
        show_dry_run(load_session(job), as_json=request.as_json)
        return
    for session, record in train_job(job, supervise):
        show_epoch(session, record)


def find_path(request: FitRequest) -> Path | None:
    """Return the run or checkpoint to go on from; None where ``auto`` finds no run."""
    assert request.resume is not None
    if str(request.resume) != AUTO:
        if request.name:
            raise UsageError("--name is for a new run; leave it out, or use --resume auto")
        return request.resume
    if request.config is None:
        return request.run_root / LATEST
    newest: str | None = None
    if request.world.is_first:
        run = newest_run(request.run_root, request.run_name)
        newest = str(run.path) if run else None
    newest = request.world.tell("run to go on with", newest)
    if newest is None:
        notice(f"no run called {request.run_name} below {request.run_root}: starting one")
    return Path(newest) if newest else None


def asked_settings(
    request: FitRequest, before: ExperimentConfig, checkpoint: Checkpoint
) -> tuple[ExperimentConfig, int | None]:
    """Return the settings and ``--limit-batches`` to go on with: by default the run's own."""
    if request.config is not None:
        return request.load_settings(), request.limit_batches
    limit = request.limit_batches or checkpoint.limit_batches
    if not request.changes:
        return before, limit
    document = parse_document(render_yaml(before), "the run's settings")
    return validate(apply_overrides(document, request.changes), ExperimentConfig), limit


def say_what_is_different(
    checkpoint: Checkpoint, session: Session, changes: list[Difference]
) -> None:
    """Name what was changed on purpose; warn where another machine may give other bits."""
    for change in changes:
        notice(f"changed on the way: {change}")
    environment = describe_environment(session.device, session.world)
    now = environment | {"precision": session.precision.name}
    before = {"processes": "1"} | checkpoint.environment | {"precision": checkpoint.precision}
    for key in ("torch", "device", "processor", "threads", "processes", "precision"):
        if now[key] != before[key]:
            warn(
                f"resuming with {key} {now[key]} instead of {before[key]}: "
                "training goes on, but not bit for bit as it would have"
            )
    if session.device.torch_device.type != "cpu" and not are_deterministic_algorithms_enabled():
        warn("a GPU gives the same bits twice only with --deterministic")
