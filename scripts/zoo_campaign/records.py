"""What was measured, as docs/zoo.json keeps it: runs by row, each with the settings it is of."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cnn_train.errors import UsageError
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.atomic_file import write_anew

from .recipes import RECIPES, Recipe

Facts = dict[str, Any]

CIFAR10 = "cifar10"
NOT_OF_THE_RECIPE = {"data", "seed", "checkpoint", "logging", "compile", "cuda_graphs"}
"""What may differ between a run and its recipe; of the data, the split may not."""


@dataclass
class RowRecord:
    """All runs of one row, by seed, and those that repeated one elsewhere or later.

    settings: of every run, as a config says them.
    """

    settings: Facts
    runs: list[Facts] = field(default_factory=list)
    repeats: list[Facts] = field(default_factory=list)

    @property
    def recipe(self) -> ExperimentConfig:
        """The experiment that was run, as this release understands its settings."""
        return ExperimentConfig.model_validate(self.settings)

    def run_of(self, seed: int) -> Facts | None:
        """Return the run of a seed."""
        return next((run for run in self.runs if run["seed"] == seed), None)

    def add(self, run: Facts) -> None:
        """Keep a run, the later one of two of the same seed."""
        known = self.run_of(run["seed"])
        if known is None or known["measured"] < run["measured"]:
            others = [one for one in self.runs if one is not known]
            self.runs = sorted([*others, run], key=lambda one: int(one["seed"]))

    def add_repeat(self, run: Facts) -> None:
        """Keep a repeat, once."""
        if run not in self.repeats:
            self.repeats = sorted([*self.repeats, run], key=lambda one: str(one["measured"]))


def settings_of(recipe: Recipe, *more: str) -> Facts:
    """Return a recipe's settings, without what says where its images lie.

    Images drawn or of a folder that ``more`` names are named as such: they are no row's.
    """
    experiment = recipe.load(*more)
    chosen = experiment.model_dump(mode="json", exclude=NOT_OF_THE_RECIPE)
    data = experiment.data
    return {
        "data": {"name": data.name, "val_fraction": data.val_fraction, "split": data.split},
        **chosen,
    }


def is_current(settings: Mapping[str, Any], recipe: Recipe) -> bool:
    """Tell whether these settings are still the recipe's; a new release may have added some."""
    try:
        measured = ExperimentConfig.model_validate(dict(settings))
    except ValidationError:  # of a setting that there is no more
        return False
    return measured == ExperimentConfig.model_validate(settings_of(recipe))


def load_rows(path: Path) -> dict[str, RowRecord]:
    """Read what was measured of recipes that are still there and still say the same.

    Raises UsageError for a file that is damaged.
    """
    if not path.exists():
        return {}
    try:
        rows = {name: RowRecord(**row) for name, row in json.loads(path.read_text("utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as problem:
        raise UsageError(f"{path}: damaged ({problem}); take it from the last commit") from None
    return {
        name: row
        for name, row in rows.items()
        if name in RECIPES and is_current(row.settings, RECIPES[name])
    }


def load_run(path: Path) -> tuple[str, Facts, Facts] | None:
    """Read a result: its row, its settings and the run; None where there is none, or half of it."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return document["row"], document["settings"], document["run"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_run(recipe: Recipe, settings: Facts, run: Facts, path: Path) -> None:
    """Write a result for :func:`load_run`."""
    document = {"row": recipe.name, "settings": settings, "run": run}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_anew(path, json.dumps(document, indent=1).encode())


def add_runs(rows: dict[str, RowRecord], results: Iterable[Path], *, as_repeats: bool) -> None:
    """Add the results in some files, but for those of recipes that were changed since.

    Raises UsageError where they are of other images than the table's.
    """
    for path in results:
        if (result := load_run(path)) is None:
            continue
        name, settings, run = result
        if name not in RECIPES or not is_current(settings, RECIPES[name]):
            continue
        tables = {one["test_fingerprint"] for row in rows.values() for one in row.runs}
        if tables - {run["test_fingerprint"]}:
            raise UsageError(
                f"{path}: measured on {run['images']}, which are other test images than the "
                "table's; name a table of their own with --table FILE.json"
            )
        row = rows.setdefault(name, RowRecord(settings))
        row.add_repeat(run) if as_repeats else row.add(run)


def save_rows(rows: Mapping[str, RowRecord], path: Path) -> None:
    """Write them in the order of the table: settings and each run are a line, for short diffs."""
    parts = []
    for name in [name for name in RECIPES if name in rows]:
        row = rows[name]
        lines = [f'  "settings": {compact(row.settings)}']
        for key, items in {"runs": row.runs, "repeats": row.repeats}.items():
            inside = ",\n".join(f"   {compact(item)}" for item in items)
            lines.append(f'  "{key}": [\n{inside}\n  ]' if items else f'  "{key}": []')
        parts.append(f' "{name}": {{\n' + ",\n".join(lines) + "\n }")
    write_anew(path, ("{\n" + ",\n".join(parts) + "\n}\n").encode())


def compact(value: Any) -> str:
    """Write JSON in one line."""
    return json.dumps(value, ensure_ascii=False)
