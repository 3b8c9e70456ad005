"""Summarise a run in one line: its settings, its progress, its accuracy."""

from dataclasses import dataclass
from pathlib import Path

from ..config.yaml_reader import parse_document
from .directory import RunDirectory, list_runs


@dataclass(frozen=True)
class RunSummary:
    """One run's settings and result; ``best_epoch`` counts from 0, None before the first epoch."""

    run_dir: str
    model: str
    loss: str
    data: str
    epochs_done: int
    epochs: int
    best_epoch: int | None
    val_accuracy: float | None
    seconds: float
    diverged: bool = False


def summarize_runs(root: Path) -> list[RunSummary]:
    """Summarise the runs below ``root``, oldest first."""
    return [summarize_run(run) for run in list_runs(root)]


def summarize_run(run: RunDirectory) -> RunSummary:
    """Read a run's resolved config and its metrics."""
    text = run.resolved_config.read_text("utf-8")
    config = parse_document(text, str(run.resolved_config)).tree
    records = run.load_metrics()
    best = max(records, key=lambda record: record["val_accuracy"], default=None)
    return RunSummary(
        run_dir=str(run.path),
        model=config["model"]["name"],
        loss=config["loss"]["name"],
        data=config["data"]["name"],
        epochs_done=len(records),
        epochs=config["epochs"],
        best_epoch=int(best["epoch"]) if best else None,
        val_accuracy=best["val_accuracy"] if best else None,
        seconds=sum(record["seconds"] for record in records),
        diverged=run.divergence.exists(),
    )
