"""Train a row once more, here and now, and say how it compares with what is published."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cnn_train.errors import UsageError

from .assessing import measure
from .recipes import RECIPES
from .records import RowRecord, save_run
from .summary import Summary, percent
from .training import Place

DECIDES_BITS = ("device", "processor", "threads", "torch", "precision")
"""What must be the same for the same bits, on a CPU."""


def repeat_row(name: str, rows: Mapping[str, RowRecord], place: Place) -> None:
    """Train the row's first seed anew, keep the result in the campaign's folder.

    A repeat that was stopped goes on. Raises UsageError for a row that has no runs to compare with,
    or one on other images.
    """
    if name not in rows or not rows[name].runs:
        measured = ", ".join(one for one, row in rows.items() if row.runs)
        raise UsageError(f"--repeat {name}: choose a row that is measured: {measured}")
    first = rows[name].runs[0]
    if first["images"] != place.images_name:
        raise UsageError(
            f"--repeat {name}: measured on {first['images']}, not on {place.images_name}"
        )
    number = 1 + len(list((place.folder / "repeated").glob(f"{name}-*.json")))
    again = replace(place, folder=place.folder / "repeats" / str(number))
    run = measure(RECIPES[name], first["seed"], again, None)
    path = place.folder / "repeated" / f"{name}-{number}.json"
    save_run(RECIPES[name], rows[name].settings, run, path)


def verdict(row: Summary, again: Mapping[str, Any]) -> str:
    """Say whether a repeat has the bits of the row's run, or where its accuracy lies."""
    first = next(run for run in row.runs if run["seed"] == again["seed"])
    if first["weights_sha256"] == again["weights_sha256"]:
        return "the same bits"
    low, high = row.range_of_another_run
    accuracy = again["test_accuracy"]
    words = "within" if low <= accuracy <= high else "outside"
    here = f"other bits, {words} {percent(low, 2)}–{percent(high, 2)} %"
    alike = all(first.get(key) == again.get(key) for key in DECIDES_BITS)
    return here + (", though on the same processor" * (alike and first["device"] == "cpu"))
