"""Sort, filter and group the runs below a folder, by results and by any setting."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from os.path import exists
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ..config.scalars import render_value, resolve_scalar
from ..config.spelling import nearest
from ..errors import UsageError
from ..machine.disk_use import disk_use
from .directory import RunDirectory, list_runs
from .history import choose_state, split_step
from .naming import named_run
from .summary import RunSummary, read_run

COLUMNS = ("name", "size", *RunSummary.model_fields)
"""What can be asked of a run beside its settings; the fields of ``--json`` have these names."""

CONDITION = re.compile(r"([^=<>!\s]+)\s*(>=|<=|!=|==?|<|>)\s*(.*)", re.DOTALL)
ORDER: dict[str, Callable[[Any, Any], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt}


@dataclass(frozen=True)
class ListedRun:
    """A run, its summary, and all its settings by dotted key; a damaged run has none.

    step: the update at which it is looked at, as ``RUN@STEP`` says; None: all of it.
    """

    run: RunDirectory
    summary: RunSummary
    settings: Mapping[str, Any]
    step: int | None = None

    def value(self, name: str) -> Any:
        """Return a column, or a setting by its dotted key; None where the run has none."""
        if name == "name":
            return self.run.name
        if name == "size":
            return disk_use(self.run.path)
        return getattr(self.summary, name) if name in COLUMNS else self.settings.get(name)


def read_runs(root: Path) -> list[ListedRun]:
    """Read every run below ``root``, oldest first."""
    return [ListedRun(run, *read_run(run)) for run in list_runs(root)]


def read_named(words: Iterable[Path], root: Path, *, at_steps: bool = False) -> list[ListedRun]:
    """Read the runs that paths, or names below ``root``, stand for; each once.

    at_steps: whether ``RUN@STEP`` may stand for a run as it was after so many updates.
    """
    found: dict[tuple[Path, int | None], RunDirectory] = {}
    for word in words:
        is_state = at_steps and not exists(root / word)  # noqa: PTH110
        place, step = split_step(word) if is_state else (word, None)
        run = named_run(place, root)
        if step is not None:
            choose_state(run.every_state, step, place)
        found[run.path.resolve(), step] = run
    return [ListedRun(run, *read_run(run, step), step) for (_, step), run in found.items()]


def check_names(names: Iterable[str], runs: Sequence[ListedRun], option: str) -> None:
    """Refuse a name that is no column and no setting of any of the runs, with UsageError."""
    settings = {key for run in runs for key in run.settings}
    for name in names:
        if runs and name not in COLUMNS and name not in settings:
            guess = nearest(name, [*COLUMNS, *sorted(settings)])
            meant = f"did you mean {guess}? " if guess else ""
            raise UsageError(
                f"{option} {name}: no column, and no run has such a setting; {meant}columns: "
                f"{', '.join(COLUMNS)}; settings: as in a config, such as optimizer.lr"
            )


def select(runs: Sequence[ListedRun], conditions: Iterable[str]) -> list[ListedRun]:
    """Return the runs that fulfil all conditions, such as ``model=lenet`` or ``lr>=0.1``.

    A run without the setting fulfils ``!=`` alone. Raises UsageError for what is no condition.
    """
    chosen = list(runs)
    for text in conditions:
        parts = CONDITION.fullmatch(text.strip())
        if parts is None:
            raise UsageError(f"--where {text}: write NAME=VALUE, NAME!=VALUE, or with < <= > >=")
        name, sign, word = parts.groups()
        check_names([name], runs, "--where")
        wanted: Any = resolve_scalar(word.removesuffix("%").rstrip())
        is_number = isinstance(wanted, int | float)
        if sign in ORDER and not is_number:
            raise UsageError(f"--where {text}: {sign} compares numbers, and {word!r} is none")
        if word.endswith("%"):
            wanted = wanted / 100 if is_number else word
        chosen = [run for run in chosen if _holds(run.value(name), sign, wanted, word)]
    return chosen


def _holds(value: Any, sign: str, wanted: Any, word: str) -> bool:
    if sign in ORDER:
        return isinstance(value, int | float) and ORDER[sign](value, wanted)
    is_equal = value == wanted or (value is not None and str(value) == word)
    return is_equal != (sign == "!=")


def sort(runs: Sequence[ListedRun], name: str) -> list[ListedRun]:
    """Return the runs by a column or setting, smallest first; after ``-`` largest first.

    Runs without it come last in both cases; equal ones stay in their order.
    """
    key = name.removeprefix("-")
    check_names([key], runs, "--sort")
    is_descending = name.startswith("-")

    def place(run: ListedRun) -> tuple[bool, bool, Any]:
        value = run.value(key)
        is_number = isinstance(value, int | float)
        rank = value if is_number else render_value(value)
        return (value is None) != is_descending, not is_number, rank

    return sorted(runs, key=place, reverse=is_descending)


def group(runs: Sequence[ListedRun], names: Sequence[str]) -> list[dict[str, Any]]:
    """Group the runs by columns or settings: a row for each group, in the order they first occur.

    n: runs that came to their end, by ``epochs`` or ``stop``; accuracy and seconds are their means.
    val_accuracy_sd: of a sample; None for fewer than two. others: all other runs.
    """
    check_names(names, runs, "--group-by")
    groups: dict[str, list[ListedRun]] = {}
    for run in runs:
        groups.setdefault(repr([run.value(name) for name in names]), []).append(run)
    rows = []
    for alike in groups.values():
        summaries = [one.summary for one in alike]
        done = [one for one in summaries if one.ending in ("finished", "stopped early")]
        accuracies = [one.val_accuracy for one in done if one.val_accuracy is not None]
        results = {
            "n": len(done),
            "others": len(alike) - len(done),
            "val_accuracy": fmean(accuracies) if accuracies else None,
            "val_accuracy_sd": stdev(accuracies) if len(accuracies) > 1 else None,
            "seconds": fmean(one.seconds for one in done) if done else None,
        }
        rows.append({name: alike[0].value(name) for name in names} | results)
    return rows
