from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

Run = Callable[..., Any]


def test_several_seeds_are_runs_of_their_own_with_mean_and_spread(
    cnn_train: Run, tiny_config: Path
) -> None:
    outcome = cnn_train("fit", "-c", tiny_config, "--seed", 4, "--seeds", 3, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    document = outcome.document
    assert [run["seed"] for run in document["runs"]] == [4, 5, 6]
    accuracies = [run["val_accuracy"] for run in document["runs"]]
    assert document["val_accuracy"]["mean"] == pytest.approx(fmean(accuracies))
    assert document["val_accuracy"]["sd"] == pytest.approx(stdev(accuracies))
    alone = cnn_train("fit", "-c", tiny_config, "--seed", 5, "--json").document
    assert alone["val_loss"] == document["runs"][1]["val_loss"]
    grouped = cnn_train("runs", "--group-by", "name", "--json").document
    assert "4" in str(grouped), "the three and the one alone are one group"


def test_stopped_seeds_are_gone_on_with_as_a_whole(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_train.cli.fit import seeds

    def stop_in_the_second(session: Any, record: Any) -> None:
        if session.config.seed == 1:
            raise KeyboardInterrupt

    command = ("fit", "-c", tiny_config, "--seeds", 2, "--json")
    whole = cnn_train(*command, "--run-root", "whole").document
    with monkeypatch.context() as patch:
        patch.setattr(seeds, "show_epoch", stop_in_the_second)
        assert cnn_train(*command).exit_code == 130
    after = cnn_train(*command, "--resume", "auto")
    assert [run["epochs_done"] for run in after.document["runs"]] == [2, 2]
    losses = [[run["val_loss"] for run in each["runs"]] for each in (whole, after.document)]
    assert losses[0] == losses[1]
    runs = cnn_train("runs", "--json").document["runs"]
    assert len(runs) == 2, "nothing was begun anew"


@pytest.mark.parametrize("other", [("--dry-run",), ("--resume", "runs/latest")])
def test_options_about_one_run_are_refused(
    cnn_train: Run, tiny_config: Path, other: tuple[str, ...]
) -> None:
    outcome = cnn_train("fit", "-c", tiny_config, "--seeds", 2, *other)
    assert outcome.exit_code == 2 and "--seeds goes with --config" in outcome.stderr
