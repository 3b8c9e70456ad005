"""Run the command line inside the test's own process, in an empty folder."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cnn_train.checkpoints.checkpoint import save_checkpoint
from cnn_train.data.dataset import DataAccess
from cnn_train.data.splits import load_training_splits
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import resolve_device
from cnn_train.runs.directory import RunDirectory
from cnn_train.training.building import build_session


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


@pytest.fixture
def cnn_train(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Outcome]:
    """Return a function that runs ``cnn-train ARGUMENTS`` with ``tmp_path`` as the folder."""
    from cnn_train.cli import console
    from cnn_train.cli.main import main

    monkeypatch.chdir(tmp_path)
    # The width was settled at import, perhaps by the terminal from which the tests were started.
    monkeypatch.setattr(console.stdout, "width", console.PIPE_WIDTH)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["cnn-train", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        written = capsys.readouterr()
        return Outcome(int(end.value.code or 0), written.out, written.err)

    return run


@pytest.fixture
def tiny_config(tmp_path: Path) -> Path:
    """Write a config that trains on 54 drawn images in a moment."""
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "# A comment that only the given config keeps.\n"
        "data: {name: shapes, num_train: 60, num_test: 20, image_size: 16}\n"
        "model: {name: linear}\n"
        "optimizer: {name: sgd, lr: 0.01}\n"
        "batch_size: 20\n"
        "epochs: 2\n"
        "precision: float32\n"
    )
    return path


@pytest.fixture(scope="module", params=["cross_entropy", "hinge"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of an untrained linear classifier of tiny drawn shapes, in a run directory."""
    shapes = {"name": "shapes", "num_train": 40, "num_test": 30, "image_size": 16}
    config = ExperimentConfig.model_validate(
        {"data": shapes, "model": {"name": "linear"}, "loss": {"name": request.param}}
    )
    root = tmp_path_factory.mktemp("runs")
    train, val = load_training_splits(config.data, DataAccess(root, offline=True))
    session = build_session(config, train, val, resolve_device("cpu"))
    run = RunDirectory.create(root, request.param)
    run.resolved_config.write_text("{}")
    for path in (run.last_checkpoint, run.best_checkpoint):
        save_checkpoint(session.checkpoint(), path)
    return run.best_checkpoint
