"""Which run a word stands for: a path, a name, ``runs/latest`` or ``runs/best``."""

from collections.abc import Mapping
from os.path import exists, isdir  # they never raise
from pathlib import Path
from typing import Any

from ..config.spelling import nearest
from ..errors import CheckpointError
from .directory import BEST, LATEST, RunDirectory, at_best, list_runs, with_root
from .summary import RunSummary, read_run

FOR_TRAINING_ALONE = {"data.resident", "data.sampling"}
"""The settings of the data that change nothing in the validation images."""


def validated_on(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings that decide which images a run was validated on."""
    data = {key: value for key, value in settings.items() if key.startswith("data.")}
    return {key: value for key, value in data.items() if key not in FOR_TRAINING_ALONE}


def rank(summary: RunSummary) -> tuple[float, float]:
    """Return what the best of several runs has most of: accuracy, then minus validation loss."""
    accuracy, loss = summary.val_accuracy, summary.val_loss
    return -1 if accuracy is None else accuracy, float("-inf") if loss is None else -loss


def best_run(root: Path) -> RunDirectory:
    """Return the run of highest validation accuracy that measured it as the latest run does.

    That is: on images of the same ``data`` settings, so that no easy data set hides the others.
    Raises CheckpointError where no such run has a best checkpoint.
    """
    read = {run.path.resolve(): (run, *read_run(run)) for run in list_runs(root)}
    whole = {place: found for place, found in read.items() if found[2]}  # the others are damaged
    latest = whole.get((root / LATEST).resolve()) or next(reversed(whole.values()), None)
    rivals = [
        (summary, run)
        for run, summary, settings in whole.values()
        if latest and validated_on(settings) == validated_on(latest[2])
        if run.best_checkpoint.exists()
    ]
    if not rivals:
        raise CheckpointError(f"{root}/best: no run on the latest run's images has a result yet")
    return max(rivals, key=lambda rival: rank(rival[0]))[1]


def named_run(word: Path, root: Path) -> RunDirectory:
    """Return the run at a path or, below ``root``, of a name; it may be damaged.

    Raises CheckpointError where there is none.
    """
    for place in map(at_best, (word, root / word)):
        target = place.resolve()
        sibling = place.parent / target.name  # latest is shown by the name of its run
        run = RunDirectory(sibling if exists(sibling) else target)  # noqa: PTH110
        if isdir(target) and (exists(run.resolved_config) or run.started):  # noqa: PTH110, PTH112
            return run
    names = [run.path.name for run in list_runs(root)]
    others = {LATEST, BEST} - {word.name}  # a latest run that was removed is not meant
    guess = nearest(word.name, [*names, *others] if names else [])
    meant = f"did you mean {guess}? " if guess else ""
    command = with_root("cnn-train runs", root)
    raise CheckpointError(f"{word}: no run; {meant}`{command}` lists runs")
