"""What slices look like on the screen: a row per challenge, a column per severity."""

from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ...page import percent
from ..console import stdout
from .evaluation import render_bar

if TYPE_CHECKING:
    from ...evaluation.slices import NewTest, SliceReport

BAR_WIDTH = 24
NARROWEST_WITH_BARS = 60


def show_slices(report: "SliceReport", model_name: str) -> None:
    """Print the clean accuracy, the slices by group, the classes and the new tests."""
    clean = report.clean
    lower, upper = clean.accuracy_interval
    title = f"{model_name} on the {clean.split} split: {len(clean.images):,} images"
    stdout.print(Text(title, style="bold"))
    stdout.print(
        f"clean accuracy {percent(clean.accuracy, 2)}  "
        f"(95 % interval {100 * lower:.2f} to {100 * upper:.2f} %)"
    )
    if report.slices:
        stdout.print()
        stdout.print(Text(f"accuracy in % by severity, seed {report.seed}", style="bold"))
        stdout.print(_render_slices(report))
        if report.classes:
            worst = report.severities[-1]
            stdout.print(Text(f"changed: share of the pixels, at severity {worst}", style="dim"))
    if report.classes:
        stdout.print()
        _show_classes(report)
    for test in report.new_tests:
        stdout.print()
        stdout.print(Text(_describe(test)))


def _render_slices(report: "SliceReport") -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("challenge", overflow="fold")
    for severity in report.severities:
        table.add_column(str(severity), justify="right", min_width=4)
    table.add_column("changed" if report.classes else "", justify="right")
    for group, slices in groupby(report.slices, key=lambda one: one.group):
        table.add_row(Text(group, style="cyan"))
        for one in slices:
            changed = one.pixels_changed[-1]
            numbers = [f"{100 * accuracy:.1f}" for accuracy in one.accuracy]
            table.add_row(
                Text(f"  {one.name}"), *numbers, "" if changed is None else percent(changed)
            )
    return table


def _show_classes(report: "SliceReport") -> None:
    """Print a row per class, the hardest first."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("class", overflow="fold")
    table.add_column("accuracy", justify="right")
    table.add_column("spread", justify="right")
    if stdout.width >= NARROWEST_WITH_BARS:
        table.add_column("", width=BAR_WIDTH)
    for one in sorted(report.classes, key=lambda one: (one.accuracy is None, one.accuracy)):
        spread = "–" if one.spread is None else f"{one.spread:.2f}"
        row = (Text(one.label), percent(one.accuracy), spread)
        bar = (render_bar(one.accuracy or 0, BAR_WIDTH),)
        table.add_row(*row, *(bar if stdout.width >= NARROWEST_WITH_BARS else ()))
    stdout.print(Text("intraclass variation", style="bold"))
    stdout.print(table)
    known = [one.accuracy for one in report.classes if one.accuracy is not None]
    gap = 100 * (max(known) - min(known))
    stdout.print(Text(f"from the hardest class to the easiest: {gap:.1f} points", style="dim"))
    stdout.print(
        Text(
            "spread: mean squared distance of a class's images from their mean, in the\n"
            "features that the last layer reads; 1: as much as that of all images",
            style="dim",
        )
    )


def _describe(test: "NewTest") -> str:
    lower, upper = test.accuracy_interval
    return (
        f"{test.benchmark} ({test.name}): {test.num_examples:,} images\n"
        f"accuracy {percent(test.accuracy, 2)}  "
        f"(95 % interval {100 * lower:.2f} to {100 * upper:.2f} %)"
    )
