"""Summarise a run in one line: its settings, its progress, its accuracy."""

from math import inf
from typing import Any

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, SkipValidation

from ..config.differences import leaves
from ..config.scalars import render_value
from ..config.source import MAX_BYTES, decode
from ..config.yaml_reader import parse_quickly
from ..errors import CnnTrainError, in_one_line
from ..machine.regular_file import read_regular
from ..metrics.best import best_record
from ..metrics.early_stopping import StopConfig
from .branch import load_branch
from .damage import damage_named
from .directory import RunDirectory

DATA_ROOT = AliasChoices(AliasPath("data", "root"), AliasPath("data", "path"))


class RunSummary(BaseModel):
    """One run's result, and its settings as they stand in a resolved config of any release.

    started: local time, ISO 8601. data_root: the folder of the images, where the config names one.
    best_epoch: from 0, by the metric ``best_by``; it and its validation figures are None before the
    first epoch. seconds: of training. parent: the name of the run that this one is a branch of, and
    parent_step the update after which it left it. damaged: what is, where all that follows
    ``started`` is None.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True)

    run_dir: SkipValidation[str]  # a folder's name need not be UTF-8
    started: str | None
    model: str = Field(validation_alias=AliasPath("model", "name"))
    loss: str = Field(validation_alias=AliasPath("loss", "name"))
    data: str = Field(validation_alias=AliasPath("data", "name"))
    data_root: str | None = Field(default=None, validation_alias=DATA_ROOT)
    optimizer: str = Field(validation_alias=AliasPath("optimizer", "name"))
    lr: float = Field(validation_alias=AliasPath("optimizer", "lr"))
    batch_size: int
    seed: int
    epochs_done: int
    epochs: int
    best_by: str = "accuracy"
    best_epoch: int | None
    val_accuracy: float | None = Field(ge=0, le=1)
    val_loss: float | None
    seconds: float = Field(ge=0, le=1e12)
    diverged: bool = False
    stopped_early: bool = False
    parent: str | None = None
    parent_step: int | None = None
    damaged: str | None = None

    @property
    def ending(self) -> str:
        """How it came to its end, or "stopped": there is more to do, which may be going on."""
        if self.diverged or self.stopped_early:
            return "diverged" if self.diverged else "stopped early"
        return "stopped" if self.damaged or self.epochs_done < self.epochs else "finished"


def load_records(run: RunDirectory, step: int | None = None) -> list[dict[str, float]]:
    """Load the records of the epochs completed after ``step`` updates; None: of all."""
    records = run.load_metrics()
    return [one for one in records if step is None or one.get("step", 0) <= step]


def read_run(run: RunDirectory, step: int | None = None) -> tuple[RunSummary, dict[str, Any]]:
    """Read a run's resolved config and its metrics, or say what is damaged.

    ``step``: what it had done after so many updates. Returns all its settings too, by dotted key:
    none of a damaged run.
    """
    nothing: dict[str, Any] = dict.fromkeys(RunSummary.model_fields)
    run_dir = str(run.path) if step is None else f"{run.path}@{step}"
    known = {"run_dir": run_dir, "started": run.started}
    try:
        with damage_named(run.path):
            source, records = str(run.resolved_config), load_records(run, step)
            branch = load_branch(run)
            text = decode(read_regular(run.resolved_config, MAX_BYTES), source)
            best = best_record(records)
            result = {
                "epochs_done": len(records),
                "best_epoch": int(best["epoch"]) if best else None,
                "val_accuracy": best["val_accuracy"] if best else None,
                "val_loss": best.get("val_loss") if best else None,
                "seconds": sum(record["seconds"] for record in records),
                "diverged": run.divergence.exists(),
                "parent": branch.parent if branch else None,
                "parent_step": branch.step if branch else None,
            }
            tree = parse_quickly(text, source).tree
            settings = {  # a number that is not finite has no place in JSON
                key: render_value(value) if value in (inf, -inf) or value != value else value
                for key, value in leaves(tree)
            }
            summary = RunSummary.model_validate(tree | known | result)
            reason = StopConfig.model_validate(tree.get("stop", {})).reason(records, summary.epochs)
            return summary.model_copy(update={"stopped_early": reason is not None}), settings
    except CnnTrainError as problem:
        known["damaged"] = in_one_line(problem).removeprefix(str(run.path)).lstrip("/: ")
        return RunSummary.model_construct(**nothing | known), {}
