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


@pytest.mark.parametrize("width", [60, 80])
def test_the_page_fits_in_a_narrow_window(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    from cnn_train.cli import console

    monkeypatch.setattr(console.stdout, "width", width)
    for options in (PLAIN, ("--set", "model.name=resnet20")):
        text = cnn_train("learn", "step", "-c", tiny_config, *options).stdout
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text
    assert {"stage3.2.conv2", "conv1.weight", "fc.bias", "No"} <= {*text.split()}


def diverging(setting: str) -> tuple[str, ...]:
    return ("--set", "regularization.kind=l2", "--set", setting)


@pytest.mark.parametrize(
    ("command", "setting", "advice"),
    [
        (("learn", "step"), "regularization.strength=1e36", "choose a smaller λ: --set regular"),
        (("profile", "--batches", 1), "regularization.strength=1e36", "choose a smaller λ: --set"),
        (("profile", "--batches", 1), "optimizer.lr=1e30", "choose a smaller rate: --set optim"),
    ],
)
def test_steps_that_diverge_are_one_line_and_exit_5(
    cnn_train: Run, tiny_config: Path, command: tuple[object, ...], setting: str, advice: str
) -> None:
    ended = cnn_train(*command, "--config", tiny_config, *diverging(setting))
    assert ended.exit_code == 5
    assert advice in ended.stderr.splitlines()[-1]


def test_a_rate_that_spoils_the_weights_is_shown_with_a_warning(
    cnn_train: Run, tiny_config: Path
) -> None:
    """The step itself is right; only what would come after it is lost, and with it the times."""
    options = ("-c", tiny_config, *diverging("optimizer.lr=1e30"))
    ended = cnn_train("learn", "step", *options)
    assert ended.exit_code == 0
    (line,) = (line for line in ended.stderr.splitlines() if "not finite" in line)
    assert line.startswith("warning: no times: after this step, the training loss is not finite")
    assert line.endswith("choose a smaller rate: --set optimizer.lr=…")
    assert "\nfc " in ended.stdout and "\nupdate: " in ended.stdout
    assert "phase" not in ended.stdout
    document = cnn_train("learn", "step", *options, "--json", "--out", "s.svg").document
    assert document["phase_seconds"] == {} and "not finite" in document["diverges"]
    assert "No times" in (tiny_config.parent / "s.svg").read_text("utf-8")


def test_full_batch_descent_is_said_to_be_of_all_images(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    settings = ("--set", "optimizer={name: gd, lr: 0.01}", "--set", "batch_size=7")
    options = ("-c", tiny_config, *settings, "--out", "gd.svg")
    text = cnn_train("learn", "step", *options).stdout
    assert "the first step, on all 50 images (7 pieces of up to 7)" in text.splitlines()[0]
    assert " of 50 right" in text and "\nEvery row is of all 50 images.\n" in text
    assert "g is that of all training images" in text
    assert "Times of one piece, 7 images, and of the optimizer's update, which comes once" in text
    assert "Δθ = −η g, to the last bit" in text
    assert "Batch norm normalises each piece by itself" not in text
    assert "Time of one piece" in (tmp_path / "gd.svg").read_text("utf-8")
    norm = cnn_train("learn", "step", *options, "--set", "model.name=resnet20").stdout
    assert "Batch norm normalises each piece by itself" in norm


def test_one_image_is_one_image(cnn_train: Run, tiny_config: Path) -> None:
    text = cnn_train("learn", "step", "-c", tiny_config, "--set", "batch_size=1").stdout
    assert ", on 1 image, in " in text.splitlines()[0]


def test_a_clipped_gradient_is_told_by_both_of_its_lengths(
    cnn_train: Run, tiny_config: Path
) -> None:
    options = ("-c", tiny_config, *PLAIN, "--set", "clip_grad_norm=0.01")
    document = cnn_train("learn", "step", *options, "--json").document
    text = cnn_train("learn", "step", *options).stdout
    norm = document["gradient_norm"]
    assert document["clipped_norm"] == pytest.approx(0.01, rel=1e-3)
    line = (
        f"clip_grad_norm: g was shortened from ‖g‖ = {norm:.4g} to 0.01: g′ = {0.01 / norm:.4g} g"
    )
    assert line in text
    assert "\n    θ ← θ − η g′\n" in text and "Δθ = −η g′, to the last bit, for all" in text
    (heads,) = (line for line in text.splitlines() if line.startswith("parameter"))
    assert "−η g′" in heads
    free = cnn_train("learn", "step", "-c", tiny_config, *PLAIN).stdout
    assert "′" not in free and "clip_grad_norm" not in free


RULES = {
    "{name: sgd, lr: 0.01, momentum: 0}": ["θ ← θ − η g"],
    "{name: sgd, lr: 0.01, nesterov: false}": ["v ← μ v + g", "θ ← θ − η v"],
    "{name: sgd, lr: 0.01}": ["v ← μ v + g", "θ ← θ − η (g + μ v)"],
    "{name: gd, lr: 0.01}": ["θ ← θ − η g"],
}


@pytest.mark.parametrize("optimizer", RULES)
def test_the_rule_in_print_is_that_of_the_optimiser(
    cnn_train: Run, tiny_config: Path, optimizer: str
) -> None:
    """That the formulas are true is shown beside the optimizers."""
    text = cnn_train("learn", "step", "-c", tiny_config, "--set", f"optimizer={optimizer}").stdout
    printed = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert [line for line in printed if "←" in line] == RULES[optimizer]
    assert "η = 0.01" in text


def test_every_part_of_a_network_has_its_rule_and_factors_are_named(
    cnn_train: Run, tiny_config: Path
) -> None:
    muon = "optimizer={name: muon, lr: 0.2, sgd_lr: 0.3, lr_factors: {fc: 0.5}}"
    lenet = ("--set", "model.name=lenet")
    text = cnn_train("learn", "step", "-c", tiny_config, *lenet, "--set", muon).stdout
    assert "\nupdate of filters: by muon, η = 0.2, μ = 0.85; " in text
    assert "\nupdate of biases, norms and the last layer: by muon, η = 0.3, " in text
    assert "orthogonal(g + μ v)" in text
    assert "\nlr_factors scale η: fc × 0.5\n" in text


def test_the_usual_size_of_an_update_is_named_on_the_page_and_in_the_picture(
    cnn_train: Run, tiny_config: Path
) -> None:
    text = cnn_train("learn", "step", "-c", tiny_config, "--out", "s.svg").stdout
    assert "‖Δθ‖/‖θ‖: about 0.001 is usual" in text
    assert "usual: 0.001" in (tiny_config.parent / "s.svg").read_text("utf-8")


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


def test_from_a_checkpoint_it_shows_the_step_its_rate_and_its_momentum(
    cnn_train: Run, tiny_config: Path, no_pictures: None
) -> None:
    settings = ("--set", "schedule.warmup_epochs=2", "--set", "checkpoint.keep=9")
    cnn_train("fit", "-c", tiny_config, *settings, "--set", "epochs=3", "--name", "run")
    (state,) = Path("runs").glob("run-*/step-00000003.ckpt")
    outcome = cnn_train("learn", "step", "--checkpoint", state)
    assert "linear, cross_entropy: step 4 (epoch 2), on 20 images" in outcome.stdout
    assert "the schedule's factor at this step, which still warms up" in outcome.stdout
    assert "v before" in outcome.stdout
    over = cnn_train("learn", "step", "--checkpoint", state.with_name("last.ckpt"))
    assert "step 10, after the run's last, on" in over.stdout


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "give --config, for a first step, or --checkpoint, for a later one"),
        (("-c", "a.yaml", "--checkpoint", "b.ckpt"), 2, "give --config"),
        (("--checkpoint", "b.ckpt", "--set", "epochs=1"), 2, "--set goes with --config"),
        (("--checkpoint", "pretrained:linear"), 4, "alone: no step of a run to take"),
    ],
)
def test_what_has_no_next_step_is_refused(
    cnn_train: Run, options: tuple[str, ...], code: int, message: str
) -> None:
    outcome = cnn_train("learn", "step", *options)
    assert (outcome.exit_code, message in outcome.stderr) == (code, True), outcome.stderr
