"""How ``cnn-train fit --resume`` goes on with a run."""

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
from ...runs.directory import LATEST, find_run
from ...runs.states import FoundCheckpoint, make_last
from ...training.resuming import checked_changes, find_state, newest_run, resume_session
from ...training.session import Session
from ..console import notice, warn
from .starting import FitRequest, locked, record_settings, show_dry_run, train

AUTO = "auto"


def go_on(request: FitRequest) -> bool:
    """Go on with the run asked for; False where ``auto`` finds none and a new one is to begin."""
    path = find_path(request)
    if path is None:
        return False
    run = find_run(path)
    with locked(run, request.world):
        found = find_state(run, path)
        for complaint in found.damaged:
            warn(f"{complaint}; going on from {found.path.name} instead")
        before = checkpoint_config(found.checkpoint, str(found.path))
        after, limit = asked_settings(request, before, found.checkpoint)
        limits = (found.checkpoint.limit_batches, limit)
        changes = checked_changes(before, after, limits, request.allowed_changes)
        session = resumed(request, found, after, limit, changes)
        if request.dry_run:
            show_dry_run(session, request.as_json)
            return True
        if request.world.is_first:
            run.mark_latest()
            make_last(run, found.path)
            if changes:
                record_settings(session, run)
        train(session, run, request.as_json)
    return True


def find_path(request: FitRequest) -> Path | None:
    """Return the run or checkpoint to go on from; None where ``auto`` finds no run."""
    assert request.resume is not None
    if str(request.resume) != AUTO:
        if request.name:
            raise UsageError("--name is for a new run; leave it out, or use --resume auto")
        return request.resume
    if request.config is None:
        return request.run_root / LATEST
    found: str | None = None
    if request.world.is_first:
        run = newest_run(request.run_root, request.run_name)
        found = str(run.path) if run else None
    found = request.world.tell("run to go on with", found)
    if found is None:
        notice(f"no run called {request.run_name} below {request.run_root}: starting one")
    return Path(found) if found else None


def asked_settings(
    request: FitRequest, before: ExperimentConfig, checkpoint: Checkpoint
) -> tuple[ExperimentConfig, int | None]:
    """Return the settings and ``--limit-batches`` to go on with: by default the run's own."""
    if request.config is not None:
        return request.load_experiment(), request.limit_batches
    limit = request.limit_batches or checkpoint.limit_batches
    if not request.overrides:
        return before, limit
    document = parse_document(render_yaml(before), "the run's settings")
    return validate(apply_overrides(document, request.overrides), ExperimentConfig), limit


def resumed(
    request: FitRequest,
    found: FoundCheckpoint,
    experiment: ExperimentConfig,
    limit: int | None,
    changes: list[Difference],
) -> Session:
    """Build the session and bring it to where the checkpoint was taken."""
    data = experiment.data.moved_to(request.data_root)
    session = request.build_session(experiment, data, limit)
    try:
        resume_session(session, found.checkpoint, changes)
    except CheckpointError as problem:
        raise CheckpointError(f"{found.path}: {problem}") from None
    for change in changes:
        notice(f"changed on the way: {change}")
    say_where_bits_may_differ(found.checkpoint, session)
    return session


def say_where_bits_may_differ(checkpoint: Checkpoint, session: Session) -> None:
    """Warn when the machine is not the one the run began on, so the bits may differ."""
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
