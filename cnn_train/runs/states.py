"""The checkpoints of one run: which are kept, under which names, and which one to resume from.

``step-00001234.ckpt`` is a state, named by its updates; ``last.ckpt`` and ``best.ckpt`` are second
names of two of them (the same file, no copy). A run resumes from ``last.ckpt``; the states before
it are kept in case it is damaged. Those in ``history/`` stay, whatever comes later.
"""

import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ..errors import CheckpointError, ResourceError
from ..machine.atomic_file import give_second_name, make_folder
from ..metrics.best import NO_EPOCH, BestBy, best_record, merit
from .directory import RunDirectory


@dataclass(frozen=True)
class FoundCheckpoint:
    """A checkpoint to resume from, its path, and the error messages of damaged newer ones."""

    checkpoint: Checkpoint
    path: Path
    damaged: tuple[str, ...] = ()


def save_state(
    checkpoint: Checkpoint, run: RunDirectory, keep: int, *, is_best: bool, stays: bool = False
) -> None:
    """Save ``checkpoint`` as the run's last (and best) one; keep the ``keep`` newest states.

    One that ``stays`` gets a name in the history first: a run that goes on after it has it.
    Killed at any moment, the run resumes from this state or from the one before: the best one is
    the last to get its name, because :func:`look_back` can find it again. Older states are
    removed only when this one is saved. Raises ResourceError, which names the last good checkpoint.
    """
    path = run.state(checkpoint.step)
    try:
        save_checkpoint(checkpoint, path)
        if stays:
            make_folder(run.kept(checkpoint.step).parent)
            give_second_name(path, run.kept(checkpoint.step))
        give_second_name(path, run.last_checkpoint)
        if is_best:
            give_second_name(path, run.best_checkpoint)
    except ResourceError as problem:
        last = run.last_checkpoint
        raise ResourceError(
            f"{problem}; last good checkpoint: {last if last.exists() else 'none'}"
        ) from None
    states = run.states
    past = [step for step in states if step <= checkpoint.step]
    for step in set(states) - set(past[-keep:]):  # later ones: the run was set back
        states[step].unlink(missing_ok=True)


def load_newest(run: RunDirectory) -> FoundCheckpoint:
    """Load the last checkpoint or, where it is damaged or gone, the newest good one before it.

    Raises CheckpointError, which says what is wrong with each of them, where none is good.
    """
    last, states = run.last_checkpoint, reversed(list(run.every_state.values()))
    others = [path for path in states if not (last.exists() and path.samefile(last))]
    complaints: list[str] = []
    for path in [last, *others]:
        try:
            return FoundCheckpoint(load_checkpoint(path), path, tuple(complaints))
        except CheckpointError as problem:
            complaints.append(str(problem))
    raise CheckpointError("\n".join(complaints))


@dataclass(frozen=True)
class WayBack:
    """What going on from ``state`` gives up of its run, and which checkpoint is the best then.

    later: the states after it. epochs: the completed epochs after it, counted from 0. best: of the
    best epoch that a checkpoint is left of; where none is, None, and best_epoch is NO_EPOCH.
    """

    state: FoundCheckpoint
    later: tuple[Path, ...]
    epochs: range
    best_epoch: int = NO_EPOCH
    best: Path | None = None


def look_back(run: RunDirectory, state: FoundCheckpoint, by: BestBy, *, anew: bool) -> WayBack:
    """Find out what going on from ``state`` means for the run's files, and change none of them.

    What was the best stays the best where it can, unless it is chosen ``anew``, by another metric.
    """

    @cache
    def last_record(path: Path) -> dict[str, float]:
        """Return the record of the epoch at whose end a checkpoint was taken; {} for others."""
        try:
            checkpoint = state.checkpoint if path == state.path else load_checkpoint(path)
        except CheckpointError:
            return {}
        return {} if checkpoint.position or not checkpoint.records else checkpoint.records[-1]

    records, step = state.checkpoint.records, state.checkpoint.step
    states = [*run.states.items(), *run.history.items()]
    later = tuple(path for number, path in states if number > step)
    way = WayBack(state, later, range(len(records), run.num_recorded))
    named = None if anew else best_record(records)
    ranked = sorted(records, key=lambda record: merit(record, by), reverse=True)
    for record in [named, *ranked] if named else ranked:
        end = int(record["step"])
        for path in (state.path, run.best_checkpoint, run.state(end), run.kept(end)):
            # Its seconds tell an epoch from another try of it; which one is the best may change.
            if {**last_record(path), "best_epoch": 0} == {**record, "best_epoch": 0}:
                return replace(way, best_epoch=int(record["epoch"]), best=path)
    return way


def go_back(run: RunDirectory, way: WayBack) -> None:
    """Set the run back to a state; one killed meanwhile goes on from it, and comes here again."""
    give_second_name(way.state.path, run.last_checkpoint)
    if way.best:
        give_second_name(way.best, run.best_checkpoint)
    else:
        run.best_checkpoint.unlink(missing_ok=True)
    for path in (*way.later, *([run.learning_curves] if way.epochs else [])):
        path.unlink(missing_ok=True)


def require_room(run: RunDirectory, keep: int, *, is_fresh: bool) -> None:
    """Refuse a run whose checkpoints the disk cannot hold; raises ResourceError.

    The size is that of the last checkpoint; in a fresh run the optimizer will add up to twice the
    weights. There will be ``keep`` more checkpoints, the best one, and one being written.
    """
    needed = (3 if is_fresh else 1) * run.last_checkpoint.stat().st_size * (keep + 2)
    free = shutil.disk_usage(run.path).free
    if free < needed:
        raise ResourceError(
            f"{run.path}: disk almost full; the run's checkpoints need up to {needed / 1e6:.1f} MB "
            f"and {free / 1e6:.1f} MB are free"
        )
