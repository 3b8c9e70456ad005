"""Send the records of a run's epochs to TensorBoard, Weights & Biases or trackio as well."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from ..config.base import Config
from ..errors import in_one_line
from ..machine.optional_library import require_libraries

GROUPS = ("train_", "val_")
"""What the names of records begin with, and trackers show together."""


class LoggingConfig(Config):
    """Where the records go beside ``metrics.jsonl``. No setting changes the result."""

    tensorboard: bool = Field(
        default=False, description="write events for TensorBoard into the run's folder"
    )
    wandb: bool = Field(default=False, description="send records to Weights & Biases")
    trackio: bool = Field(default=False, description="send records to trackio")
    project: str = Field(
        default="cnn-train",
        min_length=1,
        description="the project's name there, not of tensorboard",
    )


@dataclass(frozen=True)
class Subject:
    """The run that is tracked. first_epoch: the next one to be trained, from 0."""

    folder: Path
    settings: Mapping[str, Any]
    first_epoch: int
    project: str


class Tracker(Protocol):
    """Takes the numbers of an epoch; steps are epochs, from 1."""

    def log(self, values: Mapping[str, float], step: int) -> object:
        """Keep the values, named such as ``val/accuracy``."""

    def finish(self) -> object:
        """Send what is not sent yet."""


class TensorBoard:
    """Event files in ``RUN/tensorboard``; those of epochs that are trained again do not show."""

    def __init__(self, subject: Subject) -> None:
        from torch.utils.tensorboard import SummaryWriter

        where, first = str(subject.folder / "tensorboard"), subject.first_epoch + 1
        self.writer = SummaryWriter(where, purge_step=first)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Write the values, to be seen at once."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def finish(self) -> None:
        """Close the file."""
        self.writer.close()


def open_module(name: str, subject: Subject) -> Tracker:
    """Begin, or go on with, the run of this name in a library with W&B's functions."""
    library, run = import_module(name), subject.folder.name
    same = {"id": run} if name == "wandb" else {}  # trackio finds it by its name
    library.init(
        project=subject.project,
        name=run,
        config=dict(subject.settings),
        resume="allow" if subject.first_epoch else "never",
        **same,
    )
    tracker: Tracker = library
    return tracker


TRACKERS: dict[str, Callable[[Subject], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": partial(open_module, "wandb"),
    "trackio": partial(open_module, "trackio"),
}


@contextmanager
def tracked(
    config: LoggingConfig, subject: Subject | None, warn: Callable[[str], object]
) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Yield the function that sends an epoch's record to every tracker; without a subject, nowhere.

    A tracker that fails is warned of once and left alone: training goes on. Raises UsageError
    where its library is not installed.
    """
    wanted = [name for name in TRACKERS if subject and getattr(config, name)]
    for name in wanted:
        extra = name if name == "tensorboard" else ""
        otherwise = f"--set logging.{name}=false"
        require_libraries(f"logging.{name}", name, extra=extra, otherwise=otherwise)
    trackers: dict[str, Tracker] = {}

    @contextmanager
    def forgiven(name: str) -> Iterator[None]:
        try:
            yield
        except Exception as problem:  # of any kind: it is not our library
            trackers.pop(name, None)
            warn(f"logging.{name} failed and is left out from now on: {in_one_line(problem)}")

    def track(record: Mapping[str, float]) -> None:
        for name, tracker in list(trackers.items()):
            with forgiven(name):
                tracker.log(named_values(record), int(record["epoch"]) + 1)

    for name in wanted:
        with forgiven(name):
            assert subject, "nothing is wanted without one"
            trackers[name] = TRACKERS[name](subject)
    try:
        yield track
    finally:
        for name, tracker in list(trackers.items()):
            with forgiven(name):
                tracker.finish()


def named_values(record: Mapping[str, float]) -> dict[str, float]:
    """Name an epoch's numbers as trackers group them: ``train/loss``, ``val/accuracy``, ``lr``.

    ``step`` means an epoch there, so the run's own is called ``updates``.
    """
    others = {"step": "updates"}
    return {
        name.replace("_", "/", 1) if name.startswith(GROUPS) else others.get(name, name): value
        for name, value in record.items()
        if name not in ("epoch", "best_epoch")
    }
