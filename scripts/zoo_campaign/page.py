"""The tables of docs/zoo.md."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from .recipes import RECIPES, Recipe
from .records import RowRecord
from .summary import Summary, describe_hardware, duration, percent, with_spread

NONE = "–"


def render_page(rows: Sequence[Summary], records: dict[str, RowRecord]) -> str:
    """Return all tables: accuracies, more about each row, what waits, where each run came from."""
    waiting = {name: one for name, one in RECIPES.items() if name not in records}
    runs = [(row.name, run) for row in rows for run in row.runs]
    parts = [
        "### Accuracy", table(ACCURACY, map(accuracy_cells, rows)),
        "### Cost, certainty and harder images", table(MORE, map(more_cells, rows)),
        *(["### The choice of the epoch", choices([run for _, run in runs])] if runs else []),
        *(["### Not measured yet", waiting_list(waiting)] if waiting else []),
        "### Recipes", table(("row", "command"), map(command_cells, rows)),
        "### Every run", table(RUNS, (run_cells(name, run) for name, run in runs)),
    ]  # fmt: skip
    repeats = [(name, run) for name, row in records.items() for run in row.repeats]
    if repeats:
        cells = ((*run_cells(name, run), str(run["verdict"])) for name, run in repeats)
        parts += ["### Repeated", table((*RUNS, "beside the row"), cells)]
    return "\n\n".join(parts)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


ACCURACY = ("row", "network", "loss", "parameters", "multiply-adds", "n", "validation, %",
            "test, one view, %", "95 % interval", "with views, %")  # fmt: skip


def accuracy_cells(row: Summary) -> Sequence[str]:
    """Return a row of the first table."""
    views, validation = row.of("views_accuracy"), row.of("val_accuracy")
    low, high = row.interval
    return (
        f"`{row.name}`", row.recipe.network, row.loss.replace("_", "-"),
        f"{row.parameters:,}", f"{row.runs[0]['macs']:,}", str(row.n),
        with_spread(validation) if validation else NONE, f"**{with_spread(row.accuracy)}**",
        f"{percent(low)}–{percent(high)}", with_spread(views) if views else NONE,
    )  # fmt: skip


MORE = ("row", "training", "images/s", "NLL", "calibration error, %", "under slices, %", "hardware")


def more_cells(row: Summary) -> Sequence[str]:
    """Return a row of the second table; scores of the hinge loss are no probabilities."""
    nll, calibration, speed = map(row.of, ("nll", "calibration_error", "images_per_second"))
    return (
        f"`{row.name}`", duration(row.seconds) + (" *" if row.is_disturbed else ""),
        f"{speed.mean:,.0f}" if speed else NONE, f"{nll.mean:.3f}" if nll else NONE,
        percent(calibration.mean) if calibration else NONE, percent(row.slices), row.hardware,
    )  # fmt: skip


def command_cells(row: Summary) -> Sequence[str]:
    """Return a row's command, that of its first seed."""
    return f"`{row.name}`", f"`{row.runs[0]['command']}`"


RUNS = ("row", "seed", "test, %", "with views, %", "training", "busy cores: its, others'",
        "hardware", "torch", "weights (SHA-256)", "commit")  # fmt: skip


def run_cells(name: str, run: Mapping[str, Any]) -> Sequence[str]:
    """Return where one run's numbers come from."""
    busy = NONE
    if "own_cores" in run:
        busy = f"{run['own_cores']:.2f}, {run['other_cores']:.2f}"
    return (
        f"`{name}`", str(run["seed"]), percent(run["test_accuracy"], 2),
        percent(run["views_accuracy"], 2), duration(run["seconds"]), busy, describe_hardware(run),
        run["torch"], f"`{run['weights_sha256'][:12]}`", f"`{run['commit']}`",
    )  # fmt: skip


def choices(runs: Sequence[Mapping[str, Any]]) -> str:
    """Say what choosing the best epoch on validation images did, in the mean of all runs."""
    above = [run["val_accuracy"] - run["last_val_accuracy"] for run in runs]
    lower = [run["val_accuracy"] - run["test_accuracy"] for run in runs]
    num_last = sum(gap == 0 for gap in above)
    return (
        f"In {num_last} of {len(runs)} runs no epoch was better on validation images than the "
        f"last. In the mean of all runs the best epoch lies {100 * fmean(above):.2f} points above "
        f"the last one on validation images (at most {100 * max(above):.2f}), and "
        f"{100 * fmean(lower):.2f} points above itself on the test images."
    )


def waiting_list(recipes: dict[str, Recipe]) -> str:
    """Say of each row that nobody has measured what would."""
    lines = []
    for name, recipe in recipes.items():
        why = "to be run on a GPU" if recipe.wants_gpu else "to be run"
        lines.append(f"* `{name}`, {recipe.network}: {why}, `scripts/zoo --rows {name}`")
    return "\n".join(lines)
