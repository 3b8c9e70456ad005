"""``cnn-train fit --resume``: which run, from which checkpoint, with which settings."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision.models import get_model

from cnn_train.checkpoints.checkpoint import Checkpoint, load_checkpoint
from cnn_train.cli.process.stop_signal import SignalsHeard
from cnn_train.errors import counted

Run = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def stopped(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Return a function that trains until the run has been asked so many times whether to stop."""

    def train(num_looks: int, *arguments: object) -> Any:
        looks = iter([False] * (num_looks - 1))
        with monkeypatch.context() as patch:
            patch.setattr(SignalsHeard, "should_stop", lambda self: next(looks, True))
            outcome = cnn_train("fit", "--config", tiny_config, *arguments)
        assert outcome.exit_code == 130
        return outcome

    return train


def last(outcome: Any) -> Checkpoint:
    return load_checkpoint(Path(outcome.document["last_checkpoint"]))


def same_weights(first: Checkpoint, second: Checkpoint) -> bool:
    return all(torch.equal(first.model[name], second.model[name]) for name in first.model)


def runs() -> list[Path]:
    return [path for path in Path("runs").iterdir() if path.is_dir() and not path.is_symlink()]


def errors(outcome: Any) -> str:
    assert "Traceback" not in outcome.stderr
    return "\n".join(line for line in outcome.stderr.splitlines() if line.startswith("error: "))


def test_resume_goes_on_to_the_same_weights_and_then_has_nothing_to_do(
    cnn_train: Run, tiny_config: Path, stopped: Run
) -> None:
    straight = cnn_train("fit", "--config", tiny_config, "--json")
    assert "after 2 minibatches; all saved" in stopped(2).stderr
    resumed = cnn_train("fit", "--resume", "runs/latest", "--json")
    assert "after 0 epochs and 2 minibatches, 2 updates" in resumed.stderr
    assert resumed.exit_code == 0
    assert same_weights(last(resumed), last(straight))
    for key in ("epochs", "best_epoch", "val_accuracy", "val_loss", "train_accuracy"):
        assert resumed.document[key] == straight.document[key]
    again = cnn_train("fit", "--resume", resumed.document["run_dir"], "--json")
    assert again.exit_code == 0
    assert "training is complete after 2 epochs; nothing to do" in again.stderr
    assert again.document == resumed.document


def test_the_same_command_with_auto_starts_goes_on_and_has_nothing_to_do(
    cnn_train: Run, tiny_config: Path, stopped: Run
) -> None:
    straight = cnn_train("fit", "--config", tiny_config, "--name", "straight", "--json")
    assert "no run called tiny below runs: starting one" in stopped(2, "--resume", "auto").stderr
    stopped(2, "--resume", "auto")
    command = ("fit", "--config", tiny_config, "--resume", "auto", "--json")
    finished, again = cnn_train(*command), cnn_train(*command)
    assert same_weights(last(finished), last(straight))
    assert len(runs()) == 2
    assert again.exit_code == 0
    assert "nothing to do" in again.stderr
    assert again.document == finished.document


def test_auto_without_a_config_is_the_latest_run(cnn_train: Run, stopped: Run) -> None:
    stopped(2)
    resumed = cnn_train("fit", "--resume", "auto", "--json")
    assert resumed.document["epochs"] == 2
    assert len(runs()) == 1


def test_other_settings_are_refused_with_what_differs_and_what_to_add(
    cnn_train: Run, tiny_config: Path, stopped: Run
) -> None:
    stopped(2)
    before = last_bytes()
    changes = ["--set", "optimizer.lr=0.5", "--set", "epochs=3", "--limit-batches", 1]
    refused = cnn_train("fit", "--config", tiny_config, "--resume", "auto", *changes)
    assert refused.exit_code == 2
    for line in (
        "error: optimizer.lr: 0.01 before, 0.5 now",
        "error: epochs: 2 before, 3 now",
        "error: limit_batches: null before, 1 now",
        "--allow-config-change optimizer.lr --allow-config-change epochs",
    ):
        assert line in errors(refused)
    assert last_bytes() == before


def last_bytes() -> bytes:
    return Path("runs/latest/last.ckpt").read_bytes()


def test_a_change_that_is_named_is_made_and_recorded(cnn_train: Run, stopped: Run) -> None:
    stopped(2)
    resumed = cnn_train(
        "fit", "--resume", "runs/latest", "--set", "optimizer.lr=0.5",
        "--allow-config-change", "optimizer", "--json",
    )  # fmt: skip
    assert resumed.exit_code == 0
    assert "changed on the way: optimizer.lr: 0.01 before, 0.5 now" in resumed.stderr
    checkpoint = last(resumed)
    change = {"step": 2, "key": "optimizer.lr", "before": 0.01, "after": 0.5}
    assert checkpoint.config_changes == [change]
    assert checkpoint.config["optimizer"]["lr"] == 0.5
    assert checkpoint.records[-1]["lr"] > 0.01  # the rate was really used
    assert "lr: 0.5" in Path("runs/latest/resolved.yaml").read_text()
    assert cnn_train("fit", "--resume", "runs/latest").exit_code == 0  # its own settings now


def test_the_places_of_images_and_saves_may_differ_without_being_named(
    cnn_train: Run, tiny_config: Path, stopped: Run
) -> None:
    straight = cnn_train("fit", "--config", tiny_config, "--name", "straight", "--json")
    stopped(2)
    resumed = cnn_train(
        "fit", "--config", tiny_config, "--resume", "auto", "--set", "checkpoint.keep=5", "--json"
    )
    assert same_weights(last(resumed), last(straight))


@pytest.mark.parametrize(
    "change", ["model={name: mlp}", "optimizer={name: adamw}", "data={name: folder, root: x}"]
)
def test_a_network_cannot_become_another_one_on_the_way(
    cnn_train: Run, stopped: Run, change: str
) -> None:
    stopped(2)
    key = change.partition("=")[0]
    refused = cnn_train(
        "fit", "--resume", "runs/latest", "--set", change, "--allow-config-change", key
    )
    assert refused.exit_code == 2
    assert f"{key}.name: " in errors(refused)
    assert "cannot change on the way" in errors(refused)


def test_minibatches_change_at_an_epochs_end_but_not_in_its_middle(
    cnn_train: Run, stopped: Run
) -> None:
    change = ["--set", "batch_size=10", "--allow-config-change", "batch_size"]
    stopped(2)
    refused = cnn_train("fit", "--resume", "runs/latest", *change)
    assert refused.exit_code == 4
    assert "in the middle of an epoch" in errors(refused)
    stopped(4, "--name", "later")  # two minibatches, the validation, the epoch's end
    resumed = cnn_train("fit", "--resume", "runs/latest", *change, "--json")
    assert [record["step"] for record in last(resumed).records] == [3, 3 + 5]


def test_other_images_are_refused(cnn_train: Run, tiny_config: Path, stopped: Run) -> None:
    stopped(2)
    change = ["--set", "data.num_train=70", "--allow-config-change", "epochs"]
    refused = cnn_train("fit", "--config", tiny_config, "--resume", "auto", *change)
    assert refused.exit_code == 2
    assert "data.num_train: 60 before, 70 now" in errors(refused)


def test_a_damaged_last_checkpoint_costs_the_way_from_the_one_before(
    cnn_train: Run, tiny_config: Path, stopped: Run
) -> None:
    straight = cnn_train("fit", "--config", tiny_config, "--json")
    stopped(5)
    path = Path("runs/latest/last.ckpt").resolve()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)  # and with it the state of which it is a second name
    resumed = cnn_train("fit", "--resume", "runs/latest", "--json")
    assert resumed.exit_code == 0
    assert "last.ckpt: damaged (checksum mismatch)" in resumed.stderr
    assert resumed.stderr.count("checksum mismatch") == 1
    assert "going on from step-00000003.ckpt instead" in resumed.stderr
    assert same_weights(last(resumed), last(straight))


def test_without_any_good_checkpoint_each_of_them_is_named(cnn_train: Run, stopped: Run) -> None:
    stopped(2)
    run = Path("runs/latest").resolve()
    for path in run.glob("*.ckpt"):
        path.write_bytes(path.read_bytes()[:-1])
    refused = cnn_train("fit", "--resume", "runs/latest")
    assert refused.exit_code == 4
    for name in ("last.ckpt", "step-00000000.ckpt"):
        assert name in errors(refused)


@pytest.mark.parametrize("name", ["best.ckpt", "step-00000003.ckpt"])
def test_a_checkpoint_that_is_named_is_gone_on_from(
    cnn_train: Run, tiny_config: Path, name: str
) -> None:
    settings = ["--set", "epochs=3", "--set", "checkpoint.keep=9"]
    straight = cnn_train("fit", "--config", tiny_config, *settings, "--json")
    expected = last(straight)
    first = load_checkpoint(Path("runs/latest") / name)
    resumed = cnn_train("fit", "--resume", Path("runs/latest") / name, "--json")
    if first.epoch < 3:
        assert f"after {counted(first.epoch, 'epoch')}" in resumed.stderr
    assert same_weights(last(resumed), expected)
    assert len(runs()) == 1


def test_a_named_checkpoint_that_is_damaged_is_not_replaced_by_another(
    cnn_train: Run, tiny_config: Path
) -> None:
    cnn_train("fit", "--config", tiny_config)
    path = Path("runs/latest/step-00000003.ckpt")
    path.write_bytes(path.read_bytes()[:-1])
    refused = cnn_train("fit", "--resume", path)
    assert refused.exit_code == 4
    assert "step-00000003.ckpt: " in errors(refused)


def test_states_are_saved_by_steps_and_only_the_newest_are_kept(
    cnn_train: Run, tiny_config: Path
) -> None:
    settings = ["--set", "checkpoint={every_steps: 2, keep: 3}", "--set", "epochs=3"]
    cnn_train("fit", "--config", tiny_config, *settings)
    states = sorted(path.name for path in Path("runs/latest").glob("step-*"))
    assert states == [f"step-0000000{step}.ckpt" for step in (6, 8, 9)]
    assert load_checkpoint(Path("runs/latest/step-00000008.ckpt")).position == 2


def test_every_other_epoch_is_saved_and_every_best(cnn_train: Run, tiny_config: Path) -> None:
    settings = ["--set", "checkpoint={every_epochs: 4, keep: 9}", "--set", "epochs=6"]
    outcome = cnn_train("fit", "--config", tiny_config, *settings, "--json")
    records = last(outcome).records
    places = [(record["val_accuracy"], -record["val_loss"]) for record in records]
    bests = {i + 1 for i in range(6) if places[i] > max(places[:i], default=(-1, 0))}
    states = {int(path.stem[5:]) for path in Path("runs/latest").glob("step-*")}
    assert states == {0, *(3 * epoch for epoch in bests | {4, 6})}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.resolve().iterdir()}


LEARNS = ["--set", "data.num_train=200", "--set", "data.split=position", "--set", "epochs=4"]


def test_set_back_to_an_older_state_everything_names_the_same_best_epoch(
    cnn_train: Run, tiny_config: Path
) -> None:
    straight = cnn_train("fit", "--config", tiny_config, *LEARNS, "--set", "checkpoint.keep=9",
                         "--json")  # fmt: skip
    run = Path("runs/latest").resolve()
    best = straight.document["best_epoch"]
    assert best > 0, "the best epoch is to be among those that are given up"
    state = sorted(run.glob("step-*"))[1]  # at the end of the first epoch
    back = ("fit", "--resume", state, "--set", "optimizer.lr=1e-9", "--allow-config-change",
            "optimizer.lr", "--json")  # fmt: skip
    before = contents(run)
    dry = cnn_train(*back, "--dry-run")
    assert contents(run) == before
    resumed = cnn_train(*back)
    for outcome in (dry, resumed):
        assert (
            f"going back to {state.name}; will be deleted: epochs 2 to 4, step-" in outcome.stderr
        )
        assert f"best.ckpt becomes epoch 1 ({state.name})" in outcome.stderr
    assert resumed.stderr.index("will be deleted") < resumed.stderr.index("epoch 2/4")
    # At such a rate all epochs are equals, up to the loss's last digits.
    measured = cnn_train("evaluate", run, "--split", "val", "--json").document
    (summary,) = cnn_train("runs", "--json").document["runs"]
    shown = cnn_train("checkpoint", "show", run, "--json").document
    last_line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert (
        measured["accuracy"]
        == resumed.document["val_accuracy"]
        != straight.document["val_accuracy"]
    )
    assert measured["accuracy"] == summary["val_accuracy"] == shown["val_accuracy"]
    assert {resumed.document["best_epoch"], summary["best_epoch"], shown["epochs_done"] - 1} == {
        last_line["best_epoch"]
    }
    assert last(resumed).config_changes[0]["step"] == last(resumed).step // 4
    assert "lr: 1.0e-09" in (run / "resolved.yaml").read_text()


def test_set_back_before_a_change_the_settings_in_force_are_written_down_again(
    cnn_train: Run, tiny_config: Path
) -> None:
    cnn_train("fit", "--config", tiny_config, "--set", "checkpoint.keep=9")
    change = ["--set", "optimizer.lr=0.5", "--allow-config-change", "optimizer.lr"]
    cnn_train("fit", "--resume", "runs/latest/step-00000003.ckpt", *change)
    assert "lr: 0.5\n" in Path("runs/latest/resolved.yaml").read_text()
    assert cnn_train("fit", "--resume", "runs/latest/step-00000000.ckpt").exit_code == 0
    assert "lr: 0.01\n" in Path("runs/latest/resolved.yaml").read_text()


@pytest.mark.parametrize(
    "change", ["optimizer.lr=0.5", "best_by=loss", "seed=7", "data.val_fraction=0.3"]
)
def test_where_nothing_is_left_to_train_nothing_is_written(
    cnn_train: Run, tiny_config: Path, change: str
) -> None:
    first = cnn_train("fit", "--config", tiny_config, "--json")
    cnn_train("fit", "--config", tiny_config, "--name", "newer")
    run, links = Path(first.document["run_dir"]), Path("runs/latest").resolve()
    before = contents(run)
    key = change.partition("=")[0]
    again = cnn_train(
        "fit", "--resume", run, "--set", change, "--allow-config-change", key, "--json"
    )
    assert again.exit_code == 0
    assert f"nothing is recorded of {key}: " in again.stderr and "nothing to do" in again.stderr
    assert "changed on the way" not in again.stderr
    assert contents(run) == before and Path("runs/latest").resolve() == links
    found, expected = (each.document["best_epoch"] for each in (again, first))
    assert found == expected


@pytest.mark.parametrize(("name", "epochs"), [("last.ckpt", 2), ("step-00000008.ckpt", 2)])
def test_fewer_epochs_than_are_done_or_begun_are_refused(
    cnn_train: Run, tiny_config: Path, name: str, epochs: int
) -> None:
    settings = ["--set", "epochs=3", "--set", "checkpoint={every_steps: 2, keep: 9}"]
    run = Path(cnn_train("fit", "--config", tiny_config, *settings, "--json").document["run_dir"])
    before = contents(run)
    fewer = ["--set", f"epochs={epochs}", "--allow-config-change", "epochs"]
    refused = cnn_train("fit", "--resume", run / name, *fewer)
    assert refused.exit_code == 2
    assert f"error: epochs: {epochs} asked for, 3 done or begun" in errors(refused)
    assert contents(run) == before


def test_with_other_minibatches_updates_are_counted_on_and_the_rate_is_announced(
    cnn_train: Run, tiny_config: Path
) -> None:
    """54 images: 3 minibatches of 20, then 6 of 9. Cosine: η/2 · (1 + cos(π · share done))."""
    settings = ["--set", "checkpoint.keep=2", "--set", "epochs=3"]
    cnn_train("fit", "--config", tiny_config, *settings)
    change = ["--set", "batch_size=9", "--set", "epochs=6", "--allow-config-change", "epochs",
              "--allow-config-change", "batch_size"]  # fmt: skip
    resumed = cnn_train("fit", "--resume", "runs/latest", *change, "--json")
    checkpoint = last(resumed)
    assert [record["step"] for record in checkpoint.records] == [3, 6, 9, 15, 21, 27]
    shares = [2 / 9, 5 / 9, 8 / 9, 23 / 36, 29 / 36, 35 / 36]
    rates = [0.01 * (1 + math.cos(math.pi * share)) / 2 for share in shares]
    assert [record["lr"] for record in checkpoint.records] == pytest.approx(rates)
    assert sorted(path.name for path in Path("runs/latest").glob("step-*")) == [
        "step-00000021.ckpt", "step-00000027.ckpt",
    ]  # fmt: skip
    next_rate = 0.01 / 2  # half of all epochs are done
    assert f"learning rate: {rates[2]:.3g} at the last update, {next_rate:.3g} at the next" in (
        resumed.stderr
    )
    assert [change["step"] for change in checkpoint.config_changes] == [9, 9]


def test_a_rate_that_goes_on_as_it_was_is_not_announced(cnn_train: Run, stopped: Run) -> None:
    stopped(2)
    seed = ["--set", "seed=7", "--allow-config-change", "seed"]
    assert "learning rate: " not in cnn_train("fit", "--resume", "runs/latest", *seed).stderr


def test_every_recorded_change_is_shown_of_a_checkpoint(cnn_train: Run, stopped: Run) -> None:
    stopped(2)
    change = ["--set", "optimizer.lr=0.5", "--set", "compile=false", "--set", "best_by=macro_f1"]
    allowed = ["--allow-config-change", "optimizer", "--allow-config-change", "best_by"]
    cnn_train("fit", "--resume", "runs/latest", *change, *allowed)
    for name in ("last.ckpt", "best.ckpt"):
        page = " ".join(cnn_train("checkpoint", "show", f"runs/latest/{name}").stdout.split())
        for shown in ("optimizer.lr from 0.01 to 0.5 at step 2",
                      "best_by from accuracy to macro_f1 at step 2"):  # fmt: skip
            assert shown in page


def test_resuming_in_another_environment_warns_that_bits_may_differ(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cnn_train("fit", "--config", tiny_config)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    resumed = cnn_train("fit", "--resume", "runs/latest")
    assert resumed.exit_code == 0
    assert "warning: resuming with threads 64 instead of" in resumed.stderr
    assert resumed.stderr.count("warning: resuming") == 1


def test_weights_of_another_checkpoint_start_a_new_run(cnn_train: Run, tiny_config: Path) -> None:
    cnn_train("fit", "--config", tiny_config)
    first = load_checkpoint(Path("runs/latest/best.ckpt"))
    tuned = cnn_train(
        "fit", "--config", tiny_config, "--weights", "runs/latest", "--name", "tuned",
        "--set", "optimizer.lr=1e-9",
    )  # fmt: skip
    assert tuned.exit_code == 0
    assert "tensors kept" in tuned.stderr
    last_weights = load_checkpoint(Path("runs/latest/last.ckpt")).model
    for name, value in first.model.items():
        torch.testing.assert_close(last_weights[name], value, rtol=0, atol=1e-5)
    environment = json.loads(Path("runs/latest/environment.json").read_text())
    assert environment["weights_from"].endswith("best.ckpt")
    assert len(environment["weights_sha256"]) == 64


def test_a_foreign_file_of_1000_classes_is_fine_tuned_without_naming_them(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    """Torchvision's own file: its stem where that is asked for, a new head, ImageNet's mean."""
    torch.manual_seed(0)
    foreign = get_model("squeezenet1_1", num_classes=1000)
    torch.save(foreign.state_dict(), "squeezenet.pth")
    settings = ["--set", "normalization=imagenet", "--set", "optimizer.lr=1e-9",
                "--set", "data.image_size=32", "--set", "epochs=1"]  # fmt: skip
    model = ["--set", "model={name: torchvision, architecture: squeezenet1_1, stem: original}"]
    begin = ["fit", "--config", tiny_config, "--weights", "squeezenet.pth", *settings]
    for arguments, expected in (
        ([*begin, *model], "(1000,) instead of (10,); --new-head leaves this last layer fresh"),
        ([*begin, "--new-head"], "squeezenet.pth: does not fit the config's model"),
    ):
        refused = cnn_train(*arguments)
        assert refused.exit_code == 4
        assert expected in refused.stderr
    tuned = cnn_train(*begin, *model, "--new-head")
    assert tuned.exit_code == 0
    assert "drawn anew: classifier.1.weight, classifier.1.bias" in tuned.stderr
    assert "normalised by mean 0.4850 0.4560 0.4060, std 0.2290 0.2240 0.2250" in tuned.stderr
    trained = load_checkpoint(Path("runs/latest/last.ckpt"))
    torch.testing.assert_close(
        trained.model["features.0.weight"], foreign.features[0].weight.detach()
    )
    assert trained.model["classifier.1.weight"].shape == (10, 512, 1, 1)
    digest = hashlib.sha256(Path("squeezenet.pth").read_bytes()).hexdigest()
    environment = json.loads(Path("runs/latest/environment.json").read_text())
    assert environment["weights_sha256"] == digest


def test_an_exported_file_starts_a_run_with_its_classes_and_its_normalization(
    cnn_train: Run, tiny_config: Path
) -> None:
    cnn_train("fit", "--config", tiny_config, "--set", "data.seed=1")
    cnn_train("checkpoint", "export-weights", "runs/latest", "--out", "x.safetensors")
    before = load_checkpoint(Path("runs/latest/best.ckpt"))
    started = cnn_train("fit", "--config", tiny_config, "--weights", "x.safetensors")
    assert started.exit_code == 0
    assert "2 tensors kept" in started.stderr
    assert load_checkpoint(Path("runs/latest/last.ckpt")).normalization == before.normalization


def test_a_new_head_is_drawn_where_asked_and_only_there(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    cnn_train("fit", "--config", tiny_config, "--set", "model={name: mlp, hidden_sizes: [5]}")
    model = ["--set", "model={name: mlp, hidden_sizes: [5]}"]
    other = tmp_path / "two"
    for label in ("cat", "dog"):
        for split in ("train", "test"):
            folder = other / split / label
            folder.mkdir(parents=True)
            for i in range(20):
                Image.new("RGB", (16, 16), (i, 99, 255 * (label == "cat"))).save(
                    folder / f"{i}.png"
                )
    shapes = ["--set", f"data={{name: folder, root: {other}, image_size: 16}}"]
    start = ["fit", "--config", tiny_config, *model, *shapes, "--weights", "runs/latest"]
    refused = cnn_train(*start)
    assert refused.exit_code == 4
    assert "--new-head" in errors(refused)
    assert len(runs()) == 1
    tuned = cnn_train(*start, "--new-head")
    assert tuned.exit_code == 0
    assert "dropped: " in tuned.stderr
    assert "drawn anew: " in tuned.stderr


def test_an_imported_checkpoint_has_no_run_to_go_on_with(cnn_train: Run, tiny_config: Path) -> None:
    cnn_train("fit", "--config", tiny_config)
    run = Path("runs/latest").resolve()
    cnn_train("checkpoint", "export-weights", run / "best.ckpt", "--out", "weights.safetensors")
    imported = cnn_train("checkpoint", "import", "weights.safetensors", "--out", "imported.ckpt")
    assert imported.exit_code == 0
    for path in run.glob("*.ckpt"):
        path.unlink()
    Path("imported.ckpt").rename(run / "last.ckpt")
    refused = cnn_train("fit", "--resume", run)
    assert refused.exit_code == 4
    assert "--weights" in errors(refused)


def test_a_run_that_stopped_early_says_so_everywhere_and_how_to_go_on(
    cnn_train: Run, tiny_config: Path
) -> None:
    stop = ("--set", "stop={patience: 1, metric: accuracy, min_delta: 1}", "--set", "epochs=6")
    first = cnn_train("fit", "--config", tiny_config, *stop, "--json")
    reason = (
        "stopped early at epoch 2 of 6: the validation accuracy has not risen by more than 1 since "
        "epoch 1 (stop.patience 1)\nbest validation accuracy"
    )
    assert first.exit_code == 0 and reason in first.stderr
    assert "      stop  early, after 1 epoch without a better validation accuracy" in first.stderr
    assert (first.document["epochs"], first.document["stopped_early"]) == (2, True)
    (listed,) = cnn_train("runs", "--json").document["runs"]
    assert (listed["epochs_done"], listed["epochs"], listed["stopped_early"]) == (2, 6, True)
    assert "stopped early 2/6" in cnn_train("runs").stdout
    again = cnn_train("fit", "--resume", "runs/latest", "--json")
    assert (again.document["epochs"], again.document["stopped_early"]) == (2, True)
    assert (
        "(stop.patience 1); nothing to do (--set stop.patience=0 --allow-config-change stop goes on"
        in again.stderr
    )
    allowed = ("--set", "stop.patience=0", "--allow-config-change", "stop", "--json")
    on = cnn_train("fit", "--resume", "runs/latest", *allowed)
    assert (on.document["epochs"], on.document["stopped_early"]) == (6, False)
    assert "stopped early" not in on.stderr + cnn_train("runs").stdout
