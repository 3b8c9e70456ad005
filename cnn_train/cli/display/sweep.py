"""What a sweep looks like on the screen: its trials, best first, and what to do next."""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...metrics.best import BestBy, in_words
from ...page import Block, Page, metric_text, numbers, paragraph, texts
from ...search.study import Study, Trial

if TYPE_CHECKING:
    from ...figures.style import Drawing

MOST_SHOWN = 20


def sweep_page(study: Study, by: BestBy, best_config: Path | None) -> Page:
    """Show the trials; best_config: where the settings of the best complete one were written."""
    trials = study.trials()
    document = {
        "sweep": str(study.folder),
        "best_by": by,
        "best_config": None if best_config is None else str(best_config),
        "trials": [vars(trial) for trial in trials],
    }
    names = list(study.space.settings)
    shown = trials[:MOST_SHOWN]
    table = Block(
        columns=(*numbers("trial", f"val {in_words(by)}", "epochs"), *texts("state", *names)),
        rows=tuple(_row(trial, names, by) for trial in shown),
        first_to_go=("epochs",),
        notes=_notes(trials, len(shown)),
    )
    blocks = [table]
    if best_config is not None:
        path = shlex.quote(str(best_config))
        blocks.append(paragraph(f"The best settings: {path}", f"next: cnn-train fit -c {path}"))
    return Page(tuple(blocks), document, partial(_draw, study, trials, by))


def _row(trial: Trial, names: list[str], by: BestBy) -> tuple[str, ...]:
    first = str(trial.number), metric_text(trial.value, by), str(trial.epochs)
    return *first, trial.state, *(trial.settings.get(name, "–") for name in names)


def _notes(trials: list[Trial], num_shown: int) -> tuple[str, ...]:
    """Say what the table lacks, and why trials failed, each reason once."""
    notes = [f"{len(trials) - num_shown} more; --json has all."] if num_shown < len(trials) else []
    reasons = dict.fromkeys((trial.state, trial.problem) for trial in trials if trial.problem)
    notes += [f"{state}: {reason}" for state, reason in reasons]
    if running := sum(trial.state == "running" for trial in trials):
        notes.append(f"{running} under way elsewhere.")
    return tuple(notes)


def _draw(study: Study, trials: list[Trial], by: BestBy) -> "Drawing":
    from ...figures.parallel_coordinates import draw_parallel_coordinates

    result = f"val {in_words(by)}"
    rows: list[dict[str, Any]] = [
        {**trial.settings, result: trial.value if by == "loss" else 100 * trial.value}
        for trial in trials
        if trial.value is not None and trial.state in ("complete", "pruned")
    ]
    unit = "" if by == "loss" else " (%)"
    return draw_parallel_coordinates(
        rows, result=result, unit=unit, more_is_better=study.maximizes, title=study.folder.name
    )
