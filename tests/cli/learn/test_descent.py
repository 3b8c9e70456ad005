from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]

QUICK = ("--images", 40, "--seconds", 0)


def test_the_table_has_a_row_for_the_full_sum_and_one_for_minibatches(
    cnn_train: Run, tiny_config: Path
) -> None:
    outcome = cnn_train("learn", "descent", "-c", tiny_config, *QUICK)
    assert outcome.exit_code == 0, outcome.stderr
    assert "\nall 40 images" in outcome.stdout
    assert "\nminibatches of 20" in outcome.stdout


def test_json_is_one_document_and_the_picture_is_saved(cnn_train: Run, tiny_config: Path) -> None:
    outcome = cnn_train("learn", "descent", "-c", tiny_config, *QUICK, "--json", "--out", "d.png")
    document = outcome.document
    assert document["num_images"] == 40
    assert document["vanilla"]["batch_size"] is None
    assert document["minibatch"]["batch_size"] == 20
    assert {"updates", "seconds", "loss"} == set(document["vanilla"]["points"][0])
    assert (tiny_config.parent / "d.png").read_bytes().startswith(b"\x89PNG")


def test_a_rate_that_diverges_is_one_line_and_exit_5(cnn_train: Run, tiny_config: Path) -> None:
    options = ("--set", "model.name=lenet", "--set", "optimizer.lr=1e30", "--seconds", 0.5)
    outcome = cnn_train("learn", "descent", "-c", tiny_config, *options)
    assert outcome.exit_code == 5
    assert "choose a smaller rate: --set optimizer.lr=" in outcome.stderr.splitlines()[-1]


def test_too_few_images_blame_the_option(cnn_train: Run, tiny_config: Path) -> None:
    outcome = cnn_train("learn", "descent", "-c", tiny_config, "--images", 2)
    assert outcome.exit_code == 2 and "--images 2: there are 10 classes" in outcome.stderr


def test_all_images_are_not_called_a_minibatch(cnn_train: Run, tiny_config: Path) -> None:
    options = ("learn", "descent", "-c", tiny_config, "--seconds", 0)
    few = cnn_train(*options, "--images", 20)
    assert few.exit_code == 2 and "20 images of the race; take more --images" in few.stderr
    assert few.stdout == ""
