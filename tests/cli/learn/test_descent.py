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
