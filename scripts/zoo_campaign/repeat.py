"""Train a row once more, here and now, and say how it compares with what is published."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cnn_train.errors import UsageError

from .measuring import Facts, Place, measure
from .recipes import RECIPES
from .records import RowRecord
from .summary import percent, summarize_rows


def repeat_row(name: str, rows: Mapping[str, RowRecord], place: Place, scratch: Path) -> str:
    """Train the row's first seed anew below ``scratch``, keep the result, return the verdict.

    Raises UsageError for a row that has no runs to compare with.
    """
    if name not in rows or not rows[name].runs:
        measured = ", ".join(one for one, row in rows.items() if row.runs)
        raise UsageError(f"--repeat {name}: choose a row that is measured: {measured}")
    row = rows[name]
    first = row.runs[0]
    again = measure(name, RECIPES[name], first["seed"], replace(place, folder=scratch), None)
    low, high = summarize_rows({name: row})[0].range_of_another_run
    again["verdict"] = compare(first, again, low, high)
    again["day"] = datetime.now(UTC).date().isoformat()
    row.repeats.append(again)
    return f"{name}, seed {first['seed']}: {again['verdict']}"


def compare(first: Facts, again: Facts, low: float, high: float) -> str:
    """Say whether a second run has the bits of the first, or where its accuracy lies."""
    if first["weights_sha256"] == again["weights_sha256"]:
        return "the same bits"
    accuracy = again["test_accuracy"]
    words = "within" if low <= accuracy <= high else "outside"
    here = f"{percent(accuracy, 2)} %, {words} {percent(low)}–{percent(high)} %"
    alike = all(first.get(key) == again.get(key) for key in ("processor", "torch", "precision"))
    return f"other bits, {here}" + (", though on the same processor" if alike else "")
