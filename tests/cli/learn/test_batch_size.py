from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

IMAGES = ("--set", "data.num_train=100")
QUICK = (*IMAGES, "--images", 70, "--seconds", 0, "--draws", 2)


def test_the_table_has_a_row_per_size(cnn_train: Run, tiny_config: Path) -> None:
    outcome = cnn_train("learn", "batch-size", "-c", tiny_config, *QUICK)
    assert outcome.exit_code == 0, outcome.stderr
    rows = [line.split() for line in outcome.stdout.splitlines()]
    (small,) = (row for row in rows if row and row[0] == "32")
    (whole,) = (row for row in rows if row[:2] == ["all", "70"])
    assert whole[2:5] == ["1.000", "0", "—"]
    assert 0 < float(small[1]) < 1
    assert "batch norm" not in outcome.stdout


def test_json_is_one_document_and_the_picture_is_saved(cnn_train: Run, tiny_config: Path) -> None:
    options = (*QUICK, "--json", "--out", "sizes.svg")
    document = cnn_train("learn", "batch-size", "-c", tiny_config, *options).document
    assert [one["batch_size"] for one in document["sizes"]] == [32, None]
    noise = document["sizes"][0]["gradient"]
    assert noise["noise_of_one"] == pytest.approx(noise["noise"] * 32 / (38 / 69))
    assert "<svg" in (tiny_config.parent / "sizes.svg").read_text("utf-8")


def test_batch_norm_is_said_to_play_a_part(cnn_train: Run, tiny_config: Path) -> None:
    options = ("--set", "model.name=resnet20", *QUICK)
    assert "batch norm: " in cnn_train("learn", "batch-size", "-c", tiny_config, *options).stdout


def test_one_draw_is_one_draw(cnn_train: Run, tiny_config: Path) -> None:
    options = ("learn", "batch-size", "-c", tiny_config, *QUICK)
    assert "of all images at the first weights, mean of 2 draws." in cnn_train(*options).stdout
    text = cnn_train(*options[:-1], 1).stdout
    assert "of all images at the first weights, of one draw." in text
    assert "1 draws" not in text


def test_too_few_images_for_two_minibatches_are_refused(cnn_train: Run, tiny_config: Path) -> None:
    few = cnn_train("learn", "batch-size", "-c", tiny_config, *IMAGES, "--images", 33)
    assert few.exit_code == 2 and "'--images'" in few.stderr
    outcome = cnn_train("learn", "batch-size", "-c", tiny_config)  # of 60 images, with validation
    assert outcome.exit_code == 2
    assert outcome.stderr.splitlines()[-1].startswith("error: 50 training images are too few")
