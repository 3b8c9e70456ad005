"""The tables of docs/zoo.md."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any

from .recipes import RECIPES, Recipe
from .records import RowRecord
from .repeat import verdict
from .summary import Summary, describe_hardware, duration, kinds_of_hardware, percent, with_spread

NONE = "–"


def render_page(rows: Sequence[Summary], records: Mapping[str, RowRecord]) -> str:
    """Return all tables: accuracies, more about each row, what waits, where each run came from."""
    measured = {row.name: row for row in rows}
    waiting = [recipe for name, recipe in RECIPES.items() if name not in measured]
    runs = [(row.name, run) for row in rows for run in row.runs]
    repeats = [(name, run) for name in measured for run in records[name].repeats]
    kinds = kinds_of_hardware(run for _, run in (*runs, *repeats))
    letters = {kind: chr(ord("A") + place) for place, kind in enumerate(kinds)}
    where = [(letter, kind) for kind, letter in letters.items()]
    cells, costs = partial(run_cells, letters), partial(more_cells, letters)
    beside = ((*cells(name, run), verdict(measured[name], run)) for name, run in repeats)
    sections: list[tuple[Sequence[object], str, Callable[[], str]]] = [
        (runs, "Accuracy", lambda: table(ACCURACY, map(accuracy_cells, rows))),
        (runs, "Cost, certainty and harder images", lambda: table(MORE, map(costs, rows))),
        (runs, "Hardware", lambda: table(("", "cores, processor, number format"), where)),
        (runs, "The choice of the epoch", lambda: choices([run for _, run in runs])),
        (waiting, "Not measured yet", lambda: waiting_list(waiting)),
        (runs, "Recipes", lambda: table(("row", "command"), map(command_cells, rows))),
        (runs, "Every run", lambda: table(RUNS, (cells(*one) for one in runs))),
        (repeats, "Repeated", lambda: table((*RUNS, "beside the row"), beside)),
    ]
    parts = [f"### {title}\n\n{render()}" for content, title, render in sections if content]
    return "\n\n".join([*([overview([run for _, run in runs])] if runs else []), *parts])


def overview(runs: Sequence[Mapping[str, Any]]) -> str:
    """Say on which images all was measured, and how long the longest training took."""
    first, longest = runs[0], max(runs, key=lambda run: float(run["seconds"]))
    return (
        f"{len(runs)} runs on the images `{first['images']}`, {first['num_test']:,} test images "
        f"(SHA-256 `{first['test_fingerprint'][:12]}`). The longest training took "
        f"{duration(longest['seconds'])}."
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


ACCURACY = ("row", "network", "loss", "parameters", "multiply-adds", "n", "validation, %",
            "test, one view, %", "95 % interval", "with views, %")  # fmt: skip


def accuracy_cells(row: Summary) -> Sequence[str]:
    """Return a row of the first table."""
    low, high = row.interval
    return (
        f"`{row.name}`", row.recipe.network, row.loss.replace("_", "-"),
        f"{row.parameters:,}", f"{row.runs[0]['macs']:,}", str(row.n),
        with_spread(row.mean("val_accuracy")), f"**{with_spread(row.accuracy)}**",
        f"{percent(low)}–{percent(high)}", with_spread(row.mean("views_accuracy")),
    )  # fmt: skip


MORE = ("row", "training", "images/s", "on", "NLL", "calibration error, %", "under slices, %")


def more_cells(letters: Mapping[str, str], row: Summary) -> Sequence[str]:
    """Return a row of the second table; scores of the hinge loss are no probabilities."""
    nll, calibration = row.of("nll"), row.of("calibration_error")
    return (
        f"`{row.name}`", duration(row.seconds) + (" *" if row.is_disturbed else ""),
        f"{row.images_per_second:,.0f}", letters[row.hardware], f"{nll.mean:.3f}" if nll else NONE,
        percent(calibration.mean) if calibration else NONE, percent(row.slices),
    )  # fmt: skip


def command_cells(row: Summary) -> Sequence[str]:
    """Return a row's command, that of its first seed."""
    return f"`{row.name}`", f"`{row.runs[0]['command']}`"


RUNS = ("row", "seed", "test, %", "with views, %", "training", "busy cores: its, others'",
        "on", "torch", "weights (SHA-256)", "commit")  # fmt: skip


def run_cells(letters: Mapping[str, str], name: str, run: Mapping[str, Any]) -> Sequence[str]:
    """Return where one run's numbers come from."""
    cores = [run.get(key) for key in ("own_cores", "other_cores")]
    busy = ", ".join(NONE if number is None else f"{number:.2f}" for number in cores)
    return (
        f"`{name}`", str(run["seed"]), percent(run["test_accuracy"], 2),
        percent(run["views_accuracy"], 2), duration(run["seconds"]), busy,
        letters[describe_hardware(run)], run["torch"], f"`{run['weights_sha256'][:12]}`",
        f"`{run['commit']}`",
    )  # fmt: skip


def choices(runs: Sequence[Mapping[str, Any]]) -> str:
    """Say what choosing the best epoch on validation images did, in the mean of all runs."""
    above = [run["val_accuracy"] - run["last_val_accuracy"] for run in runs]
    higher = 100 * fmean(run["val_accuracy"] - run["test_accuracy"] for run in runs)
    num_last = sum(gap == 0 for gap in above)
    return (
        f"In {num_last} of {len(runs)} runs no epoch was better on validation images than the "
        f"last. In the mean of all runs the best epoch lies {100 * fmean(above):.2f} points above "
        f"the last one on validation images (at most {100 * max(above):.2f}), and "
        f"{abs(higher):.2f} points {'above' if higher >= 0 else 'below'} itself on the test images."
    )


def waiting_list(recipes: Sequence[Recipe]) -> str:
    """Name the rows that nobody has measured, and what would."""
    groups = {"On two CPU cores": False, "On a GPU": True}
    lines = [
        f"* {where}: " + ", ".join(f"`{one.name}`" for one in recipes if one.wants_gpu == on_gpu)
        for where, on_gpu in groups.items()
        if any(one.wants_gpu == on_gpu for one in recipes)
    ]
    return "\n".join([*lines, "", "`scripts/zoo --rows NAME` measures one."])
