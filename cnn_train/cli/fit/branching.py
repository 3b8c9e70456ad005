"""How ``fit --resume RUN@STEP --branch NAME`` starts a new run from a state of another one."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from ...checkpoints.inspection import checkpoint_config
from ...config.differences import Difference
from ...config.explain import render_yaml
from ...errors import ConfigError, UsageError
from ...experiment import ExperimentConfig
from ...machine.atomic_file import save_json, write_atomically
from ...runs.directory import RunDirectory, check_name, find_checkpoint, find_run
from ...runs.history import split_step
from ...runs.states import FoundCheckpoint, WayBack, look_back
from ...training.fit import Supervision
from ...training.progress import EpochRecord
from ...training.resuming import checked_branch, find_state, has_other_optimizer, list_changes
from ...training.session import Session
from ..console import notice, warn
from .resuming import asked_settings, restore, say_what_is_different, shown_or_trained
from .starting import FitRequest, create_run, locked


def branched(request: FitRequest) -> Generator[tuple[Session, EpochRecord]]:
    """Start a new run from a state of another one, which is only read; yield as train_job does."""
    parent, state = find_parent(request)
    before = checkpoint_config(state.checkpoint, str(state.path))
    after, limit = asked_settings(request, before, state.checkpoint)
    changes = list_changes(before, after, (state.checkpoint.limit_batches, limit))
    checked_branch(changes)
    require_epochs_left(state, after)
    way, best = None, None
    if request.world.is_first:
        way = look_back(parent, state, after.best_by, anew=after.best_by != before.best_by)
        best = way.best and way.best.read_bytes()  # now: the parent may go on meanwhile
    best_epoch = request.world.tell("best epoch", way.best_epoch if way else None)

    origin = {
        "parent": parent.path.name,
        "parent_dir": str(parent.path.resolve()),
        "step": state.checkpoint.step,
        "changes": [asdict(change) for change in changes],
    }

    def fill_in(session: Session) -> None:
        restore(session, state, changes, best_epoch)
        say_where_it_begins(parent, state, session, changes)
        if way:
            say_which_is_best(way)

    @contextmanager
    def supervise(session: Session) -> Iterator[Supervision]:
        run = create_run(session, request, {}, render_yaml(before).encode())
        with locked(run, request.world):
            if request.world.is_first:
                save_json(run.origin, origin)
            if best:
                write_atomically(run.best_checkpoint, best)
            with request.supervise(session, run, data_root=request.data_root) as supervision:
                yield supervision

    yield from shown_or_trained(request, request.job(lambda: after, limit, fill_in), supervise)


def say_where_it_begins(
    parent: RunDirectory, state: FoundCheckpoint, session: Session, changes: list[Difference]
) -> None:
    """Say which run is left where, what is changed there, and what settings have no effect."""
    step = state.checkpoint.step
    notice(f"a branch of {parent.path.name} from update {step:,} on; that run stays as it is")
    for warning in session.config.warnings():
        warn(warning)
    say_what_is_different(state.checkpoint, session, changes)
    if has_other_optimizer(changes) and step:
        name = session.config.optimizer.name
        notice(f"{name}: its state starts anew, as if no update had been made")


def find_parent(request: FitRequest) -> tuple[RunDirectory, FoundCheckpoint]:
    """Return the run to leave and its state: that of ``RUN@STEP``, or the last.

    Raises UsageError for options of another kind of start, CheckpointError without such a state.
    """
    if request.resume is None or str(request.resume) == "auto":
        raise UsageError("--branch goes with --resume RUN@STEP, which says where it begins")
    request.refuse(
        "--config --name --weights --new-head --sanity --allow-config-change",
        "does not go with --branch: a branch begins with the settings and weights of its run, "
        "--set changes what is to differ, and NAME is its name",
    )
    assert request.branch is not None
    check_name(request.branch, "--branch")
    place, step = split_step(request.resume)
    parent = find_run(place)
    state = find_state(parent, place if step is None else find_checkpoint(request.resume))
    for complaint in state.damaged:
        warn(f"{complaint}; branching from {state.path.name} instead")
    return parent, state


def require_epochs_left(state: FoundCheckpoint, config: ExperimentConfig) -> None:
    """Refuse a branch that would not train, with ConfigError."""
    done, epochs = state.checkpoint.epoch, config.epochs
    if reason := config.stop.reason(state.checkpoint.records, epochs):
        advice = "--set stop.patience=0 goes on to the last epoch"
    elif done >= epochs:
        reason, advice = f"epochs: {epochs}, and {done} are done", "set more with --set epochs=N"
    else:
        return
    raise ConfigError(
        f"{reason} at update {state.checkpoint.step}, so a branch would train nothing; {advice}, "
        "or branch from an earlier state"
    )


def say_which_is_best(way: WayBack) -> None:
    """Say which epoch a branch's best checkpoint is of, where it is not the best so far."""
    records = way.state.checkpoint.records
    if records and way.best is None:
        notice("no checkpoint is left of its best epoch so far; the next epoch will be the best")
    elif records and records[-1].get("best_epoch", way.best_epoch) != way.best_epoch:
        notice(f"best.ckpt is epoch {way.best_epoch + 1}, the best that a checkpoint is left of")
