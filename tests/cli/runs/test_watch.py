import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cnn_train.runs.directory import RunDirectory

Run = Callable[..., Any]


@pytest.mark.usefixtures("no_pictures")
def test_a_run_is_told_epoch_by_epoch_and_how_it_ended(cnn_train: Run, tiny_config: Path) -> None:
    cnn_train("fit", "--config", tiny_config, "--run-root", "mine")
    outcome = cnn_train("runs", "watch", "--run-root", "mine")
    assert outcome.exit_code == 0
    first, second, end = outcome.stdout.splitlines()
    assert first.startswith("epoch 1/2  train loss ") and second.startswith("epoch 2/2  train loss")
    assert end.startswith("finished after 2 of 2 epochs, best validation accuracy")
    found = cnn_train("runs", "watch", "--run-root", "mine", "--json").document
    assert [record["epoch"] for record in found["records"]] == [0, 1]
    assert found["run"]["epochs_done"] == 2
    run = next(path for path in Path("mine").iterdir() if path.name.startswith("tiny"))
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text(lines[0] + "\n")
    assert "stopped after 1 of 2 epochs" in cnn_train("runs", "watch", run).stdout
    (run / "metrics.jsonl").write_text('{"epoch": 0}\n')
    damaged = cnn_train("runs", "watch", run)
    assert damaged.exit_code == 4 and "no 'train_loss'" in damaged.stderr


@pytest.mark.usefixtures("no_pictures")
def test_a_run_that_has_just_begun_is_told_to_its_early_end(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = ("--set", "epochs=5", "--set", "stop={patience: 1, min_delta: 9.0}")
    cnn_train("fit", "--config", tiny_config, *stop)
    done, begun = RunDirectory(Path("runs/latest").resolve()), RunDirectory.create(Path(), "a")
    with ExitStack() as training:
        training.enter_context(begun.locked())

        def train(seconds: float) -> None:
            for name in ("resolved.yaml", "metrics.jsonl"):
                shutil.copy(done.path / name, begun.path)
            training.close()

        monkeypatch.setattr("time.sleep", train)
        first, _, end = cnn_train("runs", "watch", begun.path).stdout.splitlines()
    assert first.startswith("epoch 1/5 ") and end.startswith("stopped early after 2 of 5 epochs")


def test_without_a_run_there_is_nothing_to_watch(cnn_train: Run, tmp_path: Path) -> None:
    outcome = cnn_train("runs", "watch")
    assert outcome.exit_code == 4 and "no run" in outcome.stderr
    RunDirectory.create(tmp_path / "runs", "a")  # has begun this moment
    assert cnn_train("runs", "watch").exit_code == 0
