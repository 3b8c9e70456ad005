"""What slices look like on the screen: a row per challenge, a column per severity."""

from functools import partial
from itertools import groupby
from pathlib import Path

from ...errors import counted
from ...evaluation.evaluate import list_answers
from ...evaluation.slices import NewTest, SliceReport
from ...page import Block, Page, bar, numbers, paragraph, percent, texts
from .evaluation import BAR_WIDTH, BARS, describe_accuracy


def slices_page(report: SliceReport, checkpoint: Path, model_name: str) -> Page:
    """Make the clean accuracy, the slices by group, the classes and the new tests."""
    clean = report.clean
    blocks = [
        Block(
            heading=f"{model_name} on the {clean.split} split: "
            f"{counted(len(clean.images), 'image')}",
            lines=(f"clean accuracy {describe_accuracy(clean)}",),
        ),
        *([_list_slices(report)] if report.slices else ()),
        *([_list_classes(report)] if report.classes else ()),
        *map(_describe, report.new_tests),
    ]
    table = partial(list_answers, clean)
    return Page(tuple(blocks), report.to_json(checkpoint), table=table)


def _list_slices(report: SliceReport) -> Block:
    """Make a row per slice below the name of its group."""
    rows: list[tuple[str, ...]] = []
    group_rows = {}
    severities, changed_name = map(str, report.severities), "changed" if report.classes else ""
    for group, slices in groupby(report.slices, key=lambda result: result.group):
        group_rows[len(rows)] = "cyan"
        rows.append((group, *("" for _ in report.severities), ""))
        for result in slices:
            accuracies = [f"{100 * accuracy:.1f}" for accuracy in result.accuracy]
            changed = result.pixels_changed[-1]
            rows.append(
                (f"  {result.name}", *accuracies, "" if changed is None else percent(changed))
            )
    words = f"changed: share of the pixels, at severity {report.severities[-1]}"
    return Block(
        heading=f"accuracy in % by severity, seed {report.seed}",
        columns=(*texts("challenge"), *numbers(*severities, changed_name)),
        rows=tuple(rows),
        row_styles=group_rows,
        notes=(words,) if report.classes else (),
    )


def _list_classes(report: SliceReport) -> Block:
    """Make a row per class, the hardest first."""
    classes = sorted(report.classes, key=lambda scores: (scores.accuracy is None, scores.accuracy))
    known = [scores.accuracy for scores in classes if scores.accuracy is not None]
    gap = 100 * (max(known) - min(known))
    return Block(
        heading="intraclass variation",
        columns=(*texts("class"), *numbers("accuracy", "spread"), BARS),
        rows=tuple(
            (
                scores.label,
                percent(scores.accuracy),
                "–" if scores.spread is None else f"{scores.spread:.2f}",
                bar(scores.accuracy or 0, BAR_WIDTH),
            )
            for scores in classes
        ),
        first_to_go=("",),
        notes=(
            f"from the hardest class to the easiest: {gap:.1f} points",
            "spread: mean squared distance of a class's images from their mean, in the features "
            "that the last layer reads; 1: as much as that of all images",
        ),
    )


def _describe(test: NewTest) -> Block:
    return paragraph(
        f"{test.benchmark} ({test.name}): {counted(test.num_examples, 'image')}",
        f"accuracy {describe_accuracy(test)}",
    )
