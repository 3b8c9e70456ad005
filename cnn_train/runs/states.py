"""The checkpoints of one run: which are kept, under which names, and which one to resume from.

``step-00001234.ckpt`` is a state, named by its updates; ``last.ckpt`` and ``best.ckpt`` are second
names of two of them (the same file, no copy). A run resumes from ``last.ckpt``; the states before
it are kept in case it is damaged.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ..errors import CheckpointError, ResourceError
from ..machine.atomic_file import give_second_name
from .directory import RunDirectory


@dataclass(frozen=True)
class FoundCheckpoint:
    """A checkpoint to resume from, its path, and the error messages of damaged newer ones."""

    checkpoint: Checkpoint
    path: Path
    damaged: tuple[str, ...] = ()


def save_state(checkpoint: Checkpoint, run: RunDirectory, keep: int, *, is_best: bool) -> None:
    """Save ``checkpoint`` as the run's last (and best) one; keep the ``keep`` newest states.

    Killed at any moment, the run resumes from this state or from the one before. Older states are
    removed only when this one is saved. Raises ResourceError, which names the last good checkpoint.
    """
    path = run.state(checkpoint.step)
    try:
        save_checkpoint(checkpoint, path)
        if is_best:
            give_second_name(path, run.best_checkpoint)
        give_second_name(path, run.last_checkpoint)
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
    last, states = run.last_checkpoint, reversed(list(run.states.values()))
    others = [path for path in states if not (last.exists() and path.samefile(last))]
    complaints: list[str] = []
    for path in [last, *others]:
        try:
            return FoundCheckpoint(load_checkpoint(path), path, tuple(complaints))
        except CheckpointError as problem:
            complaints.append(str(problem))
    raise CheckpointError("\n".join(complaints))


def make_last(run: RunDirectory, path: Path) -> None:
    """Set the run back to ``path``, one of its checkpoints."""
    if path.name != run.last_checkpoint.name:
        give_second_name(path, run.last_checkpoint)


def require_room(run: RunDirectory, keep: int, *, is_fresh: bool) -> None:
    """Refuse a run whose checkpoints the disk cannot hold; raises ResourceError.

    The size is that of the last checkpoint; in a fresh run the optimizer will add up to twice the
    weights. There will be ``keep`` checkpoints, the best one, and one being written.
    """
    needed = (3 if is_fresh else 1) * run.last_checkpoint.stat().st_size * (keep + 2)
    free = shutil.disk_usage(run.path).free
    if free < needed:
        raise ResourceError(
            f"{run.path}: disk almost full; the run's checkpoints need up to {needed / 1e6:.1f} MB "
            f"and {free / 1e6:.1f} MB are free"
        )
