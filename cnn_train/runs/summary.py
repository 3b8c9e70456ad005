"""Summarise a run in one line: its settings, its progress, its accuracy."""

from dataclasses import dataclass

from ..config.yaml_reader import parse_document
from ..metrics.best import best_record
from .directory import RunDirectory


@dataclass(frozen=True)
class RunSummary:
    """One run's settings and result.

    started: local time, ISO 8601. data_root: the folder of the images, where the config names one.
    best_epoch: from 0, by the metric ``best_by``; it and its validation figures are None before the
    first epoch. seconds: of training.
    """

    run_dir: str
    started: str | None
    model: str
    loss: str
    data: str
    data_root: str | None
    optimizer: str
    lr: float
    batch_size: int
    seed: int
    epochs_done: int
    epochs: int
    best_by: str
    best_epoch: int | None
    val_accuracy: float | None
    val_loss: float | None
    seconds: float
    diverged: bool = False


def summarize_run(run: RunDirectory) -> RunSummary:
    """Read a run's resolved config and its metrics."""
    text = run.resolved_config.read_text("utf-8")
    config = parse_document(text, str(run.resolved_config)).tree
    records = run.load_metrics()
    best = best_record(records)
    return RunSummary(
        run_dir=str(run.path),
        started=run.started,
        model=config["model"]["name"],
        loss=config["loss"]["name"],
        data=config["data"]["name"],
        data_root=config["data"].get("root") or config["data"].get("path"),
        optimizer=config["optimizer"]["name"],
        lr=config["optimizer"]["lr"],
        batch_size=config["batch_size"],
        seed=config["seed"],
        epochs_done=len(records),
        epochs=config["epochs"],
        best_by=config.get("best_by", "accuracy"),
        best_epoch=int(best["epoch"]) if best else None,
        val_accuracy=best["val_accuracy"] if best else None,
        val_loss=best.get("val_loss") if best else None,
        seconds=sum(record["seconds"] for record in records),
        diverged=run.divergence.exists(),
    )
