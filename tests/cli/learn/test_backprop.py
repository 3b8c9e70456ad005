from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_the_page_shows_both_passes_number_by_number(cnn_train: Run) -> None:
    page = cnn_train("learn", "backprop").stdout
    lines = [line.split() for line in page.splitlines()]
    assert "hinge loss, L = Σ max(0, s_j − s_2 + 1) = 5" in page
    assert ["∂L/∂z", "x", "∂L/∂F", "∂L/∂b"] in lines
    assert ["2", "−1", "1", "0", "2", "1", "4", "−1", "3", "2"] in lines


def test_other_numbers_to_practise_on_are_drawn_from_a_seed(cnn_train: Run, tmp_path: Path) -> None:
    runs = [("--seed", "1"), ("--seed", "1"), ("--seed", "2")]
    first, same, other = (cnn_train("learn", "backprop", *run, "--json").document for run in runs)
    assert first == same and first["x"] != other["x"]
    assert cnn_train("learn", "backprop", "--out", "back.svg").exit_code == 0
    assert (tmp_path / "back.svg").exists()
