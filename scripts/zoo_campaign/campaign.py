"""Measure what is missing, one row and seed after the other, beside others who do the same."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from cnn_train.errors import CnnTrainError

from .measuring import NotDoneError, Place, measure
from .recipes import Recipe, units
from .records import RowRecord, save_run, settings_of


def measured_files(folder: Path) -> list[Path]:
    """Return the results in a campaign's folder."""
    return sorted((folder / "measured").glob("*.json"))


def measure_missing(
    recipes: Mapping[str, Recipe],
    num_seeds: int | None,
    place: Place,
    known: Mapping[str, RowRecord],
    seconds: float | None,
    say: Callable[[str], object],
) -> Sequence[str]:
    """Measure each row and seed that nobody has, until ``seconds`` have passed; say what failed.

    Whoever works in the same folder holds a lock on what it measures; what another one holds or
    has finished is left alone.
    """
    ends = None if seconds is None else time.monotonic() + seconds
    place.folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for name, seed in units(dict(recipes), num_seeds):
        title = f"{name}, seed {seed}"
        left = None if ends is None else ends - time.monotonic()
        if left is not None and left <= 0:
            say("the budget is spent; the same command goes on")
            break
        if name in known and any(run["seed"] == seed for run in known[name].runs):
            continue
        try:
            with FileLock(place.folder / f".{name}-seed{seed}.lock", blocking=False):
                measure_unit(name, recipes[name], seed, place, left, say)
        except Timeout:
            say(f"{title}: another process has it")
        except NotDoneError as reason:
            say(f"{title}: {reason}")
        except CnnTrainError as failure:
            failures.append(f"{title}: {failure}")
            say(failures[-1])
    return failures


def measure_unit(
    name: str,
    recipe: Recipe,
    seed: int,
    place: Place,
    limit: float | None,
    say: Callable[[str], object],
) -> None:
    """Measure a row's seed and write its file, unless that is there with today's settings."""
    file = place.folder / "measured" / f"{name}-seed{seed}.json"
    settings = settings_of(recipe, *place.more)
    if file.exists() and json.loads(file.read_text("utf-8"))["settings"] == settings:
        return
    say(f"{name}, seed {seed} …")
    run = measure(name, recipe, seed, place, limit)
    save_run(name, settings, run, file.parent)
    say(f"{name}, seed {seed}: test {100 * run['test_accuracy']:.1f} % in {run['seconds']:.0f} s")
