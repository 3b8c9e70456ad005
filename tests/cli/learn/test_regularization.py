from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnn_train.lecture import regularization

Run = Callable[..., Any]


def test_the_page_shows_a_weight_points_and_the_config(
    cnn_train: Run, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regularization, "TOY_UPDATES", 3)
    options = ("-c", tiny_config, "--images", "40", "--seconds", "0", "--out", "r.svg")
    outcome = cnn_train("learn", "regularization", *options)
    assert outcome.exit_code == 0, outcome.stderr
    lines = [line.split() for line in outcome.stdout.splitlines()]
    assert ["50", "0.3642", "0.5000"] in lines and ["100", "0.1326", "0.0000"] in lines
    assert [line[:2] for line in lines if line[1:2] == ["2"]] == [
        ["0", "2"], ["0.0005", "2"], ["0.05", "2"],
    ]  # fmt: skip
    assert (tmp_path / "r.svg").exists()


def test_settings_need_a_config(cnn_train: Run) -> None:
    outcome = cnn_train("learn", "regularization", "--set", "epochs=1")
    assert outcome.exit_code == 2 and "--set goes with --config" in outcome.stderr
