from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cnn_train.models.summary import trace_images
from cnn_train.visualize.show_worked_unit import unit_words
from cnn_train.visualize.worked_unit import work_out_run

Run = Callable[..., Any]


def rows(page: str) -> list[list[str]]:
    return [line.split() for line in page.splitlines()]


def test_the_tiny_example_is_added_up_in_print(cnn_train: Run) -> None:
    page = cnn_train("learn", "conv").stdout
    assert ["0", "2", "·", "×", "2", "0", "−2", "=", "0", "0", "·"] in rows(page)
    assert "6 (shown) + 1 (bias) = 7\nworked out: 7; the network itself: 7" in page
    assert "then bn (BatchNorm2d): 6" in page and "then relu (ReLU): 6" in page
    assert "height: (W − F + 2P)/S + 1 = (5 − 3 + 2·1)/2 + 1 = 3" in page
    assert "padding: 3 of the 9 cells (·) lie beyond the map; they count as 0" in page


def test_every_kind_of_layer_has_its_page(cnn_train: Run) -> None:
    pool = cnn_train("learn", "conv", "--layer", "pool").stdout
    assert ["4", "2", "→", "6"] in rows(pool) and ["5", "6*"] in rows(pool)
    norm = cnn_train("learn", "conv", "--layer", "bn").stdout
    assert "mean = 2, variance = 4, ε = 0, γ = 2, β = 1" in norm
    connected = cnn_train("learn", "conv", "--layer", "fc", "--channel", "1").stdout
    assert ["6", "×", "−1", "=", "−6"] in rows(connected)
    assert "12 (shown) + 1 (bias) = 13" in connected


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nn.AvgPool2d(3, 2, padding=1), "count as 0"),
        (nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), "are not counted"),
        (nn.MaxPool2d(3, 2, padding=1), "never win"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="replicate"), "repeat numbers of the map"),
    ],
)
def test_what_padding_counts_is_said(layer: nn.Module, words: str) -> None:
    runs = trace_images(nn.Sequential(layer), torch.ones(1, 1, 4, 4))
    unit = work_out_run(runs, runs[0], 0)
    line = f"padding: 5 of the 9 cells (·) lie beyond the map; they {words}"
    assert line in unit_words(unit, runs[0])


def test_of_a_checkpoint_the_document_holds_a_sum_that_is_the_networks(
    cnn_train: Run, checkpoint: Path
) -> None:
    document = cnn_train("learn", "conv", checkpoint, "--layer", "fc", "--json").document
    total = sum(term["total"] for term in document["terms"]) + document["bias"]
    assert len(document["terms"]) == 3 * 16 * 16
    assert total == pytest.approx(document["network"], abs=1e-5)


@pytest.mark.parametrize("layer", ["conv", "pool", "relu", "fc"])
def test_each_picture_is_drawn(cnn_train: Run, tmp_path: Path, layer: str) -> None:
    assert cnn_train("learn", "conv", "--layer", layer, "--out", "unit.svg").exit_code == 0
    assert (tmp_path / "unit.svg").stat().st_size > 2000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--image", "a.png"), "--image: goes with a CHECKPOINT"),
        (("--at", "3"), "--at 3: is no place; give a row and a column from 0"),
        (("--at", "9,9"), "conv: has no row 9; choose from 0 to 2"),
        (("--channel", "2"), "conv: has no channel 2; choose from 0 to 1"),
        (("--layer", "flatten"), "flatten: is a Flatten, which is not worked out"),
    ],
)
def test_what_cannot_be_is_refused(cnn_train: Run, options: tuple[str, ...], message: str) -> None:
    outcome = cnn_train("learn", "conv", *options)
    assert outcome.exit_code == 2 and message in outcome.stderr
