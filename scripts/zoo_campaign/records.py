"""What was measured, as docs/zoo.json keeps it: runs by row, each with the settings it is of."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.atomic_file import write_anew

from .recipes import RECIPES, Recipe

Facts = dict[str, Any]

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

    def add(self, run: Facts) -> None:
        """Keep a run in the place of one of the same seed."""
        others = [one for one in self.runs if one["seed"] != run["seed"]]
        self.runs = sorted([*others, run], key=lambda one: int(one["seed"]))


def settings_of(recipe: Recipe, *more: str) -> Facts:
    """Return a recipe's settings, without what says where its images lie."""
    experiment = recipe.load(*more)
    chosen = experiment.model_dump(mode="json", exclude=NOT_OF_THE_RECIPE)
    split = {"val_fraction": experiment.data.val_fraction, "split": experiment.data.split}
    return {"data": {"name": "cifar10", **split}, **chosen}


def is_current(settings: Mapping[str, Any], recipe: Recipe) -> bool:
    """Tell whether these settings are still the recipe's; a new release may have added some."""
    measured = ExperimentConfig.model_validate(dict(settings))
    return measured == ExperimentConfig.model_validate(settings_of(recipe))


def load_rows(path: Path) -> dict[str, RowRecord]:
    """Read what was measured of recipes that are still there and still say the same."""
    if not path.exists():
        return {}
    rows = {name: RowRecord(**row) for name, row in json.loads(path.read_text("utf-8")).items()}
    return {
        name: row
        for name, row in rows.items()
        if name in RECIPES and is_current(row.settings, RECIPES[name])
    }


def add_runs(rows: dict[str, RowRecord], measured: Iterable[Path]) -> None:
    """Add the runs of a campaign's folder: files ``<row>-seed<seed>.json``."""
    for path in measured:
        document = json.loads(path.read_text("utf-8"))
        name, settings = document["row"], document["settings"]
        if name in RECIPES and is_current(settings, RECIPES[name]):
            rows.setdefault(name, RowRecord(settings)).add(document["run"])


def save_run(name: str, settings: Facts, run: Facts, folder: Path) -> None:
    """Write a run where :func:`add_runs` finds it: ``folder/<row>-seed<seed>.json``."""
    document = {"row": name, "settings": settings, "run": run}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-seed{run['seed']}.json"
    write_anew(path, json.dumps(document, indent=1).encode())


def save_rows(rows: Mapping[str, RowRecord], path: Path) -> None:
    """Write them in the order of the table: settings and each run are a line, for short diffs."""
    parts = []
    for name in [name for name in RECIPES if name in rows]:
        row = rows[name]
        lists = {"runs": row.runs, "repeats": row.repeats}
        lines = [f'  "settings": {compact(row.settings)}']
        for key, items in lists.items():
            inside = ",\n".join(f"   {compact(item)}" for item in items)
            lines.append(f'  "{key}": [\n{inside}\n  ]' if items else f'  "{key}": []')
        parts.append(f' "{name}": {{\n' + ",\n".join(lines) + "\n }")
    write_anew(path, ("{\n" + ",\n".join(parts) + "\n}\n").encode())


def compact(value: Any) -> str:
    """Write JSON in one line."""
    return json.dumps(value, ensure_ascii=False)
