import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cnn_train.errors import UsageError
from cnn_train.metrics.trackers import LoggingConfig, Subject, named_values, tracked

RECORD = {"epoch": 0, "step": 9, "train_loss": 2.0, "val_accuracy": 0.5, "lr": 0.1, "best_epoch": 0}


def subject_in(folder: Path, first_epoch: int = 0) -> Subject:
    return Subject(folder, {"model": {"name": "lenet"}}, first_epoch, "mine")


class Library(ModuleType):
    """Stands for wandb or trackio; its ``log`` fails from a step on."""

    def __init__(self, fails_at: int = 99) -> None:
        super().__init__("library")
        self.calls: list[Any] = []
        self.fails_at = fails_at

    def init(self, **options: Any) -> None:
        self.calls.append(options)

    def log(self, values: Mapping[str, float], step: int) -> None:
        if step >= self.fails_at:
            raise ConnectionError("no route\nto host")
        self.calls.append((dict(values), step))

    def finish(self) -> None:
        self.calls.append("finished")


def test_numbers_are_grouped_as_trackers_show_them() -> None:
    values = {"updates": 9, "train/loss": 2.0, "val/accuracy": 0.5, "lr": 0.1}
    assert named_values(RECORD) == values


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_library_gets_the_config_and_each_epoch(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library()
    monkeypatch.setitem(sys.modules, name, library)
    said: list[str] = []
    with tracked(LoggingConfig(**{name: True}), subject_in(tmp_path), said.append) as track:
        track(RECORD)
    begun, logged, finished = library.calls
    assert begun["project"] == "mine" and begun["name"] == tmp_path.name
    assert begun["config"] == {"model": {"name": "lenet"}} and begun["resume"] == "never"
    assert (begun.get("id") == tmp_path.name) == (name == "wandb")
    assert logged == (named_values(RECORD), 1) and finished == "finished" and said == []


def test_one_that_fails_is_warned_of_once_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = Library(fails_at=2), Library()
    monkeypatch.setitem(sys.modules, "wandb", broken)
    monkeypatch.setitem(sys.modules, "trackio", sound)
    said: list[str] = []
    config = LoggingConfig(wandb=True, trackio=True)
    with tracked(config, subject_in(tmp_path, first_epoch=3), said.append) as track:
        for epoch in range(4):
            track(RECORD | {"epoch": epoch})
    assert len(said) == 1 and "logging.wandb failed" in said[0] and "no route\\nto host" in said[0]
    assert len(sound.calls) == 6 and sound.calls[0]["resume"] == "allow"
    assert len(broken.calls) == 2


def test_a_library_that_is_not_installed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    config = LoggingConfig(wandb=True)
    with pytest.raises(UsageError, match=r"pip install wandb, or --set logging\.wandb=false"):
        tracked(config, subject_in(tmp_path), print).__enter__()
    config = LoggingConfig(tensorboard=True)
    with pytest.raises(UsageError, match=r"'cnn-train\[tensorboard\]'"):
        tracked(config, subject_in(tmp_path), print).__enter__()
    with tracked(config, None, print) as track:  # nothing is to be trained
        track(RECORD)


def test_tensorboard_reads_back_what_was_trained(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = LoggingConfig(tensorboard=True)
    for first, loss in (
        (0, 2.0),
        (1, 1.0),
    ):  # stopped after two epochs, gone on with from the first
        with tracked(config, subject_in(tmp_path, first), print) as track:
            for epoch in range(first, 2):
                track(RECORD | {"epoch": epoch, "train_loss": loss})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    read = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert read == [(1, 2.0), (2, 1.0)]
