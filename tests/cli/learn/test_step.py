from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

PLAIN = ("--set", "optimizer={name: sgd, lr: 0.01, momentum: 0}")


def test_the_page_shows_loss_layers_update_and_times(cnn_train: Run, tiny_config: Path) -> None:
    options = ("--set", "model.name=lenet", *PLAIN)
    outcome = cnn_train("learn", "step", "-c", tiny_config, *options)
    assert outcome.exit_code == 0, outcome.stderr
    first_words = [line.split()[0] for line in outcome.stdout.splitlines() if line.strip()]
    for word in ("F-pass:", "layer", "conv1", "fc", "B-pass:", "update:", "backward", "optimizer"):
        assert word in first_words, word
    assert "pool1" not in first_words
    assert "Δθ = −η g, to the last bit, for all 15,926 numbers of θ" in outcome.stdout
    every = cnn_train("learn", "step", "-c", tiny_config, *options, "--every-layer")
    assert "\npool1" in every.stdout


def test_another_optimiser_is_said_to_move_otherwise(cnn_train: Run, tiny_config: Path) -> None:
    outcome = cnn_train("learn", "step", "-c", tiny_config)  # momentum and Nesterov by default
    assert "this is not plain SGD" in outcome.stdout


def test_json_holds_the_losses_and_obeys_the_rule(cnn_train: Run, tiny_config: Path) -> None:
    document = cnn_train("learn", "step", "-c", tiny_config, *PLAIN, "--json").document
    assert document["total"] == pytest.approx(document["loss"] + document["penalty"])
    assert document["num_plain"] == document["num_numbers"] == 10 * 768 + 10
    (layer,) = (one for one in document["layers"] if one["weight_norm"])
    assert layer["update_ratio"] == pytest.approx(layer["update_norm"] / layer["weight_norm"])
    for entry in document["entries"]:
        assert entry["descent"] == -document["lr"] * entry["gradient"]


def test_the_page_fits_in_80_columns(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_train.cli import console

    monkeypatch.setattr(console.stdout, "width", 80)
    for options in (PLAIN, ("--set", "model.name=resnet20")):
        text = cnn_train("learn", "step", "-c", tiny_config, *options).stdout
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ("optimizer.lr=1e30", "choose a smaller rate: --set optimizer.lr"),
        ("regularization.strength=1e30", "choose a smaller λ: --set regularization.strength"),
    ],
)
@pytest.mark.parametrize("command", [("learn", "step"), ("profile", "--batches", 1)])
def test_steps_that_diverge_are_one_line_and_exit_5(
    cnn_train: Run, tiny_config: Path, command: tuple[object, ...], setting: str, advice: str
) -> None:
    kind = ["--set", "regularization.kind=l2"]
    ended = cnn_train(*command, "--config", tiny_config, *kind, "--set", setting)
    assert ended.exit_code == 5
    assert advice in ended.stderr.splitlines()[-1]


def test_the_picture_has_a_line_per_layer_that_the_table_has(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    options = ("-c", tiny_config, "--set", "model.name=lenet", "--out", "step.svg")
    cnn_train("learn", "step", *options)
    drawn = (tmp_path / "step.svg").read_text("utf-8")
    assert all(name in drawn for name in ("conv1", "fc3", "Time of a step"))
    assert "pool1" not in drawn
    cnn_train("learn", "step", *options, "--every-layer", "--json")
    assert "pool1" in (tmp_path / "step.svg").read_text("utf-8")
