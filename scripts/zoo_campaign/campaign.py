"""Measure what is missing, one row and seed after the other, beside others who do the same."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnn_train.errors import CnnTrainError
from cnn_train.machine.file_lock import acquire

from .assessing import measure
from .recipes import Recipe, units
from .records import RowRecord, is_current, load_run, save_run, settings_of
from .training import NotDoneError, Place


def results_in(folder: Path, kind: str = "measured") -> list[Path]:
    """Return the results in a campaign's folder; kind: ``measured`` or ``repeated``."""
    return sorted((folder / kind).glob("*.json"))


def measure_missing(
    recipes: Sequence[Recipe],
    num_seeds: int | None,
    place: Place,
    known: Mapping[str, RowRecord],
    seconds: float | None,
    say: Callable[[str], object],
) -> int:
    """Measure each row and seed that nobody has; train for ``seconds`` at most; count failures.

    Whoever works in the same folder holds a lock on what it measures; what another one holds or
    has finished is left alone.
    """
    ends = None if seconds is None else time.monotonic() + seconds
    place.folder.mkdir(parents=True, exist_ok=True)
    wanted = [Unit(recipe, seed, place) for recipe, seed in units(recipes, num_seeds)]
    missing = [unit for unit in wanted if not unit.is_known(known)]
    say(f"{len(missing)} of {len(wanted)} runs are missing")
    failures = 0
    for number, unit in enumerate(missing, 1):
        left = None if ends is None else ends - time.monotonic()
        if left is not None and left <= 0:
            say("the budget is spent; the same command goes on")
            break
        try:
            with acquire(unit.lock, when_busy=refuse):
                if not unit.is_known({}):  # another process may have finished it meanwhile
                    say(f"{unit}: {number} of {len(missing)} …")
                    say(f"{unit}: {unit.measure(left)}")
        except NotDoneError as reason:
            say(f"{unit}: {reason}")
        except CnnTrainError as failure:
            failures += 1
            say(f"{unit}: {failure}")
    return failures


def refuse() -> None:
    """Leave what another process holds to it."""
    raise NotDoneError("another process has it")


@dataclass(frozen=True)
class Unit:
    """One seed of one row, and where it is measured."""

    recipe: Recipe
    seed: int
    place: Place

    def __str__(self) -> str:
        return f"{self.recipe.name}, seed {self.seed}"

    @property
    def lock(self) -> Path:
        """The file that whoever measures it holds."""
        return self.place.folder / f".{self.recipe.name}-seed{self.seed}.lock"

    @property
    def result(self) -> Path:
        """Where what is measured lies."""
        return self.place.folder / "measured" / f"{self.recipe.name}-seed{self.seed}.json"

    def is_known(self, rows: Mapping[str, RowRecord]) -> bool:
        """Tell whether the table or the folder has it, of the recipe and the images as they are."""
        row = rows.get(self.recipe.name)
        if row and (run := row.run_of(self.seed)) and run["images"] == self.place.images_name:
            return True
        found = load_run(self.result)
        if found is None or found[2]["images"] != self.place.images_name:
            return False
        return found[1] == self.settings or is_current(found[1], self.recipe)

    @property
    def settings(self) -> dict[str, object]:
        """What is trained, but for the images."""
        return settings_of(self.recipe, *self.place.more)

    def measure(self, limit: float | None) -> str:
        """Train it for at most ``limit`` seconds, evaluate it, keep the result, say it."""
        run = measure(self.recipe, self.seed, self.place, limit)
        save_run(self.recipe, self.settings, run, self.result)
        return f"test {100 * run['test_accuracy']:.1f} % after {run['seconds']:.0f} s of training"
