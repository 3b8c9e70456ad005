import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

Run = Callable[..., Any]


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text("optimizer.lr: {low: 0.001, high: 0.1, log: true}\nmodel.name: [linear, mlp]\n")
    return path


def test_a_sweep_writes_the_best_config_and_goes_on_where_it_ended(
    cnn_train: Run, tiny_config: Path, space: Path, tmp_path: Path
) -> None:
    command = ("sweep", "-c", tiny_config, "--space", space)
    first = cnn_train(*command, "--trials", 2, "--json", "--out", "sweep.png")
    assert first.exit_code == 0, first.stderr
    trials = first.document["trials"]
    assert [trial["state"] for trial in trials] == ["complete"] * 2
    assert trials[0]["value"] >= trials[1]["value"]
    assert (tmp_path / "sweep.png").stat().st_size > 1000
    best = first.document["best_config"]
    assert cnn_train("config", "check", best).exit_code == 0
    shown = cnn_train("config", "show", best).stdout
    assert f"lr: {trials[0]['settings']['optimizer.lr']}" in shown
    again = cnn_train(*command, "--trials", 3)
    assert again.exit_code == 0 and "trial-002: " in again.stderr
    assert "trial-001: " not in again.stderr
    assert f"next: cnn-train fit -c {best}" in again.stdout


def test_a_trial_is_the_run_that_fit_would_make(
    cnn_train: Run, tiny_config: Path, space: Path
) -> None:
    trial = cnn_train("sweep", "-c", tiny_config, "--space", space, "--trials", 1, "--json")
    settings = trial.document["trials"][0]["settings"]
    sets = [word for name in settings for word in ("--set", f"{name}={settings[name]}")]
    fitted = cnn_train("fit", "-c", tiny_config, *sets, "--json").document
    assert fitted["val_accuracy"] == trial.document["trials"][0]["value"]


def test_a_stopped_sweep_goes_on_with_the_same_trial(
    cnn_train: Run, tiny_config: Path, space: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_train.search.study import Claim

    def interrupt(claim: Claim, epoch: int, value: float) -> bool:
        raise KeyboardInterrupt

    command = ("sweep", "-c", tiny_config, "--space", space, "--trials", 1, "--json")
    with monkeypatch.context() as patch:
        patch.setattr(Claim, "should_stop", interrupt)
        assert cnn_train(*command).exit_code == 130
    after = cnn_train(*command)
    assert "trial-000" in after.stderr and "begun before, going on" in after.stderr
    assert after.document["trials"][0]["state"] == "complete"
    runs = cnn_train("runs", "--run-root", "runs/sweep-tiny", "--json").document["runs"]
    assert [run["epochs_done"] for run in runs] == [2], "one run, and it is complete"


def test_a_trial_that_stops_early_is_complete_with_its_best_epoch(
    cnn_train: Run, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_train.search.study import Claim

    reports = []

    def should_stop(claim: Claim, epoch: int, value: float) -> bool:
        reports.append(value)
        return len(reports) > 1

    monkeypatch.setattr(Claim, "should_stop", should_stop)
    space = tmp_path / "space.yaml"
    space.write_text("optimizer.lr: [1e-9, 2e-9]\n")  # too low to ever get better
    stop = ("epochs=9", "stop={patience: 1, metric: accuracy}")
    sets = [word for setting in stop for word in ("--set", setting)]
    command = ("sweep", "-c", tiny_config, "--space", space, "--trials", 1, *sets, "--json")
    (trial,) = cnn_train(*command).document["trials"]
    assert len(reports) == 2 and trial["state"] == "complete" and trial["value"] == max(reports)


def test_settings_that_do_not_fit_together_fail_alone(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("data.image_size: [16, 18]\naugment.translate: [19, 20]\n")
    command = ("sweep", "-c", tiny_config, "--space", space, "--trials", 2, "--json")
    outcome = cnn_train(*command, "--out", "none.png")
    states = [trial["state"] for trial in outcome.document["trials"]]
    assert states == ["fail"] * 2 and outcome.document["best_config"] is None, outcome.stderr
    assert "cannot be trained" in outcome.stderr and (tmp_path / "none.png").exists()


def test_mistakes_are_found_before_any_training(
    cnn_train: Run, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("optimizer.lrr: [1, 2]\n")
    command = ("sweep", "-c", tiny_config, "--space", space)
    wrong = cnn_train(*command)
    assert wrong.exit_code == 2 and "--set optimizer.lrr=1" in wrong.stderr
    assert "did you mean 'lr'" in wrong.stderr
    space.write_text("optimizer.lr: [0.1, -2]\n")
    assert "--set optimizer.lr=-2" in cnn_train(*command).stderr
    assert not (tmp_path / "runs").exists()
    assert cnn_train("sweep", "-c", "-", "--space", space).exit_code == 2
    space.write_text("optimizer.lr: [0.1, 0.2]\n")
    assert "use letters" in cnn_train(*command, "--name", "a/b").stderr
    monkeypatch.setitem(sys.modules, "optuna", None)
    missing = cnn_train(*command)
    assert missing.exit_code == 2 and "pip install 'cnn-train[sweep]'" in missing.stderr
