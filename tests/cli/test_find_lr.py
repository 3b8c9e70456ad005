from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_the_page_shows_the_losses_and_a_suggestion_with_its_reason(
    cnn_train: Run, tiny_config: Path
) -> None:
    outcome = cnn_train("find-lr", "-c", tiny_config, "--set", "batch_size=54")
    assert outcome.exit_code == 0, outcome.stderr
    assert "linear with sgd: loss + λR(W) while the rate grows" in outcome.stdout
    assert "suggested: --set optimizer.lr=" in outcome.stdout
    assert "(the config has 0.01)" in outcome.stdout
    assert "reason: there, half of the fall is done" in outcome.stdout


def test_json_is_one_document_and_nothing_but_the_picture_is_written(
    cnn_train: Run, tiny_config: Path
) -> None:
    before = set(tiny_config.parent.iterdir())
    arguments = ("find-lr", "-c", tiny_config, "--updates", 20, "--to", 0.1, "--json")
    document = cnn_train(*arguments, "--out", "range.png").document
    assert set(document) == {
        "model", "optimizer", "lr", "rates", "losses", "smoothed", "lowest", "suggested", "diverged"
    }  # fmt: skip
    assert len(document["rates"]) == len(document["losses"]) == 20
    written = set(tiny_config.parent.iterdir()) - before
    assert [path.name for path in written] == ["range.png"]
    assert cnn_train(*arguments).document == document


def test_a_loss_that_still_falls_at_the_last_rate_is_not_said_to_rise(
    cnn_train: Run, tiny_config: Path
) -> None:
    command = ("find-lr", "-c", tiny_config, "--set", "batch_size=54", "--set", "augment={}")
    shown = cnn_train(*command, "--from", "1e-4", "--to", "2e-3", "--updates", 40).stdout
    assert "the loss still falls at the last rate. A larger --to shows where it rises" in shown


def test_the_whole_network_learns_and_frozen_layers_that_never_learned_are_warned_of(
    cnn_train: Run, tiny_config: Path
) -> None:
    command = ("find-lr", "-c", tiny_config, "--updates", 20, "--json", "--set",
               "model={name: mlp, hidden_sizes: [5]}")  # fmt: skip
    whole, head_first, frozen = (
        cnn_train(*command, "--set", f"fine_tuning={{{settings}}}")
        for settings in ("", "head_first_epochs: 1", "freeze: [body]")
    )
    assert whole.document == head_first.document != frozen.document
    assert "warning: fine_tuning: no weights are given" in frozen.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "1", "--to", "0.1"], "take two, the first smaller"),
        (["--from", "0,1"], "decimals take a point: 0.1"),
        (["--updates", "3"], "updates"),
        (["--out", "range.gif"], "saved as .png or .svg"),
        (["--lr", "0.1"], "--set optimizer.lr=0.1"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    cnn_train: Run, tiny_config: Path, options: list[str], message: str
) -> None:
    outcome = cnn_train("find-lr", "-c", tiny_config, *options)
    assert (outcome.exit_code, message in outcome.stderr) == (2, True), outcome.stderr
    assert "Traceback" not in outcome.stderr
