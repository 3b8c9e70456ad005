"""What a sweep looks like on the screen: its trials, best first, and what to do next."""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...page import Block, Page, numbers, paragraph, percent, texts
from ...search.study import Study, Trial

if TYPE_CHECKING:
    from ...figures.style import Drawing

MOST_SHOWN = 20


def sweep_page(study: Study, by: str, best_config: Path | None) -> Page:
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
        columns=(*numbers("trial", _result_name(by), "epochs"), *texts("state", *names)),
        rows=tuple(_row(trial, names, by) for trial in shown),
        first_to_go=("epochs",),
        notes=_notes(trials, len(shown)),
    )
    blocks = [table]
    if best_config is not None:
        path = shlex.quote(str(best_config))
        blocks.append(paragraph(f"The best settings: {path}", f"next: cnn-train fit -c {path}"))
    return Page(tuple(blocks), document, partial(_draw, study, trials, by))


def _result_name(by: str) -> str:
    return f"val {by.replace('_', ' ')}"


def show_value(value: float | None, by: str) -> str:
    """Write a trial's value, as its epochs are shown."""
    return "—" if value is None else f"{value:.4f}" if by == "loss" else percent(value, 2)


def _row(trial: Trial, names: list[str], by: str) -> tuple[str, ...]:
    settings = (trial.settings.get(name, "—") for name in names)
    value = show_value(trial.value, by)
    return str(trial.number), value, str(trial.epochs), trial.state, *settings


def _notes(trials: list[Trial], num_shown: int) -> tuple[str, ...]:
    """Say what the table lacks, and why trials failed, each reason once."""
    notes = [f"{len(trials) - num_shown} more; --json has all."] if num_shown < len(trials) else []
    reasons = dict.fromkeys(trial.problem for trial in trials if trial.problem)
    notes += [f"failed: {reason}" for reason in reasons]
    if running := sum(trial.state == "running" for trial in trials):
        notes.append(f"{running} under way elsewhere.")
    return tuple(notes)


def _draw(study: Study, trials: list[Trial], by: str) -> "Drawing":
    from ...figures.parallel_coordinates import draw_parallel_coordinates

    result = _result_name(by)
    rows: list[dict[str, Any]] = [
        {**trial.settings, result: trial.value if by == "loss" else 100 * trial.value}
        for trial in trials
        if trial.value is not None and trial.state in ("complete", "pruned")
    ]
    unit = "" if by == "loss" else " (%)"
    return draw_parallel_coordinates(
        rows, result=result, unit=unit, more_is_better=study.maximizes, title=study.folder.name
    )
