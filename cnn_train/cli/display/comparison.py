"""How a comparison of runs looks: results, differing settings, a test, and curves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ...config.differences import differing
from ...config.scalars import render_value
from ...evaluation.paired import Paired
from ...page import Block, Page, paragraph, texts
from ...runs.listing import ListedRun
from ...runs.summary import load_records
from ..console import notice
from ..runs.listing import values_table
from .paired import paired_blocks

if TYPE_CHECKING:
    from ...figures.style import Drawing

RESULTS = ("run_dir", "epochs", "epochs_done", "val_accuracy", "best_epoch", "seconds", "size")

CHOSEN_HERE = (
    "each run's best epoch was chosen on such images; evaluate --against tests on the test split"
)


def comparison_page(
    runs: Mapping[str, ListedRun], tested: Sequence[str], paired: Paired | None, notes: list[str]
) -> Page:
    """Make the page of runs that are called by letters; ``notes``: why some are not ``tested``."""
    whole = {letter: run for letter, run in runs.items() if not run.summary.damaged}
    differences = differing([run.settings for run in whole.values()])
    results = [
        {"": letter} | {name: run.value(name) for name in RESULTS} for letter, run in runs.items()
    ]
    blocks = [values_table(results, RESULTS[:0:-1]), *_list_branches(whole)]
    blocks.append(_list_differences([*whole], differences))
    if paired:
        what = "that all held out for validation"
        blocks += paired_blocks(paired, tested, tested, what, CHOSEN_HERE)
    damaged = [f"{key} is damaged: {runs[key].summary.damaged}" for key in runs if key not in whole]
    if notes := [*damaged, *notes]:
        blocks.append(paragraph(*notes))
    models = [runs[letter].summary.run_dir for letter in tested]
    document = {
        "runs": [vars(one.summary) | {"size": one.value("size")} for one in runs.values()],
        "differences": {"runs": [one.summary.run_dir for one in whole.values()], **differences},
        "paired": paired and {"models": models, **asdict(paired)},
        "notes": notes,
    }
    return Page(tuple(blocks), document, lambda: _draw(whole))


def _list_branches(runs: Mapping[str, ListedRun]) -> list[Block]:
    """Say which runs are branches, from where, of one of the others by its letter."""
    letters = {one.run.path.resolve().name: letter for letter, one in runs.items()}
    lines = [
        f"{letter} leaves {letters.get(parent, parent)} after update {one.summary.parent_step:,}"
        for letter, one in runs.items()
        if (parent := one.summary.parent) is not None
    ]
    return [paragraph(*lines)] if lines else []


def _list_differences(letters: list[str], differences: Mapping[str, list[object]]) -> Block:
    if not differences:
        return paragraph(*(["all settings are the same"] if len(letters) > 1 else []))
    return Block(
        columns=texts("differing settings", *letters),
        rows=tuple((key, *map(render_value, found)) for key, found in differences.items()),
    )


def _draw(runs: Mapping[str, ListedRun]) -> "Drawing":
    from ...figures.comparison import MOST_CURVES, draw_comparison

    if len(runs) > MOST_CURVES:
        notice(f"drawing the first {MOST_CURVES} of {len(runs)} runs")
    drawn = {
        f"{key}  {Path(one.summary.run_dir).name}": one
        for key, one in [*runs.items()][:MOST_CURVES]
    }
    curves = {name: load_records(one.run, one.step) for name, one in drawn.items()}
    departures = {name: one.summary.parent_step for name, one in drawn.items()}
    return draw_comparison(curves, "Runs compared", departures)
