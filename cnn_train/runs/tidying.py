"""Remove runs, or checkpoints of runs, that nobody needs; one in training is never touched."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..machine.disk_use import disk_use
from .directory import LATEST, RunDirectory, list_runs
from .listing import ListedRun
from .naming import rank, validated_on


@dataclass(frozen=True)
class Removal:
    """Checkpoints to remove from a run, by their files' names; none: the whole run goes.

    frees: bytes that the disk gains.
    """

    run_dir: str
    files: tuple[str, ...]
    val_accuracy: float | None
    frees: int

    @classmethod
    def of(cls, one: ListedRun, *states: Path) -> "Removal":
        """Measure what the disk gains by it."""
        names, frees = tuple(path.name for path in states), disk_use(*(states or [one.run.path]))
        return cls(str(one.run.path), names, one.summary.val_accuracy, frees)

    def carry_out(self) -> None:
        """Remove it; ``latest`` goes to the newest run where it lost its own.

        Raises LockedError where a process trains in the run, UsageError where a file must stay.
        """
        run = RunDirectory(Path(self.run_dir))
        with run.locked():
            try:
                for path in spare_states(run):  # again: the run may have gone on since
                    if path.name in self.files:
                        path.unlink()
                if not self.files:
                    shutil.rmtree(run.path)
            except OSError as problem:
                place = problem.filename or run.path
                raise UsageError(f"{place}: cannot be removed ({problem.strerror})") from None
        link = run.path.parent / LATEST
        if link.is_symlink() and not link.exists():
            link.unlink()
            for newest in list_runs(run.path.parent)[-1:]:
                newest.mark_latest()


def spare_states(run: RunDirectory) -> list[Path]:
    """Return a run's checkpoints that are not its best, its last or of its history by any name."""
    kept = [path for path in (run.last_checkpoint, run.best_checkpoint) if path.exists()]
    if run.last_checkpoint not in kept:  # the states are all that it can go on from
        return []
    kept += run.history.values()
    return [path for path in run.states.values() if not any(map(path.samefile, kept))]


def plan_pruning(runs: Sequence[ListedRun], keep_best: int | None) -> list[Removal]:
    """Return what is not needed: spare states, and whole runs beyond the best of each data set.

    ``keep_best``: how many of these stay; None: all.
    """
    rivals: dict[str, list[ListedRun]] = {}
    for one in sorted(runs, key=lambda one: rank(one.summary), reverse=True):
        rivals.setdefault(repr(sorted(validated_on(one.settings).items())), []).append(one)
    beyond = [one for alike in rivals.values() for one in alike[keep_best or len(alike) :]]
    return [
        Removal.of(one, *(() if one in beyond else states))
        for one in runs
        if (states := spare_states(one.run)) or one in beyond
    ]
