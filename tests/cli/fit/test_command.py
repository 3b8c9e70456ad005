import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torture_campaign.children import Child

from cnn_train.checkpoints.checkpoint import Checkpoint, load_checkpoint
from cnn_train.cli.fit import training_display
from cnn_train.config.loading import load_experiment
from cnn_train.data.dataset import DataAccess
from cnn_train.evaluation.evaluate import load_split
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.predict import predict_files
from cnn_train.inference.trained_model import load_trained_model
from cnn_train.lecture.pixels import inspect_image
from cnn_train.visualize.request import Subjects

Run = Callable[..., Any]

FIT_KEYS = (
    "run_dir", "best_checkpoint", "last_checkpoint", "epochs", "stopped_early",
    "best_by", "best_epoch", "val_accuracy", "val_loss", "val_balanced_accuracy", "val_macro_f1",
    "train_accuracy", "seconds", "duplicates", "num_val_trained_on",
)  # fmt: skip
RUN_FILES = {
    ".lock", "config.yaml", "resolved.yaml", "environment.json", "metrics.jsonl", "last.ckpt",
    "best.ckpt", "step-00000003.ckpt", "step-00000006.ckpt", "learning_curves.png",
}  # fmt: skip


def assert_one_line(stderr: str, *words: str) -> None:
    """Check for a single line of error, without a traceback, that holds all ``words``."""
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, stderr
    assert "Traceback" not in stderr
    for word in words:
        assert word in errors[0]


def same_weights(first: Checkpoint, second: Checkpoint) -> bool:
    return first.model.keys() == second.model.keys() and all(
        torch.equal(first.model[name], second.model[name]) for name in first.model
    )


@pytest.mark.parametrize(
    ("decay", "words"),
    [
        ("0.9999", "averages over about 10,000 updates and the run makes 6: "),
        ("0.51", "take at most 0.5, 0 for none"),
        ("0.5", None),
        ("0", None),
    ],
)
def test_an_average_over_more_updates_than_the_run_makes_is_warned_of(
    cnn_train: Run, tiny_config: Path, decay: str, words: str | None
) -> None:
    """Three minibatches in each of two epochs: 6·(1 − 0.5) = 3."""
    result = cnn_train("fit", "--config", tiny_config, "--dry-run", "--set", f"ema_decay={decay}")
    assert result.exit_code == 0
    assert ("warning: ema_decay" in result.stderr) == (words is not None)
    assert (words or "") in result.stderr


def test_fit_prints_one_json_document_and_leaves_a_complete_run(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    result = cnn_train("fit", "--config", tiny_config, "--device", "cpu", "--json")
    assert result.exit_code == 0
    document = result.document
    assert tuple(document) == FIT_KEYS
    assert document["epochs"] == 2
    assert 0 <= document["val_accuracy"] <= 1
    run = tmp_path / document["run_dir"]
    assert {path.name for path in run.iterdir()} == RUN_FILES
    assert (tmp_path / "runs" / "latest").resolve() == run
    assert load_checkpoint(tmp_path / document["last_checkpoint"]).epoch == 2
    assert (
        load_checkpoint(tmp_path / document["best_checkpoint"]).val_accuracy
        == (document["val_accuracy"])
    )
    assert (run / "config.yaml").read_bytes() == tiny_config.read_bytes()
    assert (run / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((run / "environment.json").read_text())["precision"] == "float32"


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("loss", r"best validation loss \d+\.\d{4} at epoch"),
        ("balanced_accuracy", r"best validation balanced accuracy \d+\.\d\d % at epoch"),
        ("macro_f1", r"best validation macro F1 \d+\.\d\d % at epoch"),
    ],
)
def test_the_metric_that_chose_the_best_epoch_is_said_and_in_the_document(
    cnn_train: Run, tiny_config: Path, by: str, said: str
) -> None:
    result = cnn_train("fit", "--config", tiny_config, "--set", f"best_by={by}", "--json")
    assert re.search(said, result.stderr)
    document, key = result.document, f"val_{by}"
    best = load_checkpoint(Path(document["best_checkpoint"]))
    assert (document["best_by"], document["best_epoch"]) == (by, best.epoch - 1)
    assert document[key] == best.records[-1][key]


@pytest.mark.usefixtures("no_pictures")
def test_the_resolved_config_of_a_run_is_a_config_for_the_same_run(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    first = cnn_train("fit", "-c", tiny_config, "--seed", 3, "--set", "epochs=1", "--json").document
    resolved = tmp_path / first["run_dir"] / "resolved.yaml"
    assert load_experiment(resolved, (), ExperimentConfig).seed == 3
    again = cnn_train("fit", "-c", resolved, "--json").document
    assert same_weights(
        load_checkpoint(Path(first["last_checkpoint"])),
        load_checkpoint(Path(again["last_checkpoint"])),
    )


@pytest.mark.usefixtures("no_pictures")
def test_off_a_terminal_there_is_one_plain_line_per_epoch_on_stderr(
    cnn_train: Run, tiny_config: Path
) -> None:
    result = cnn_train("fit", "--config", tiny_config)
    assert result.stdout == ""
    epochs = [line for line in result.stderr.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/2", "2/2"]
    for word in ("train loss", "val loss", "train acc", "val acc", "lr", "images/s", "left"):
        assert all(word in line for line in epochs)
    assert "\x1b" not in result.stderr


@pytest.mark.usefixtures("no_pictures")
def test_on_a_terminal_there_is_a_table_with_a_row_per_epoch(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120, highlight=False)
    monkeypatch.setattr(training_display, "stderr", terminal)
    assert cnn_train("fit", "--config", tiny_config).exit_code == 0
    shown = screen.getvalue()
    assert training_display.HEADER in shown
    assert "1/2  " in shown
    assert "2/2  " in shown


def test_a_dry_run_says_what_would_run_and_writes_nothing(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    result = cnn_train("fit", "--config", tiny_config, "--dry-run", "--device", "cpu")
    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]
    plan = {line.split()[0]: line for line in result.stderr.splitlines() if line.startswith(" ")}
    assert "cpu (as requested)" in plan["device"]
    assert "float32 (as configured)" in plan["precision"]
    assert "shapes: 50 training and 10 validation images, 10 classes, 3 × 16 × 16" in plan["data"]
    assert "linear: 7,690 parameters" in plan["model"]
    assert "2 epochs × 3 updates of 20 images" in plan["steps"]
    assert "nothing is written" in plan["run"]


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot flush")
def test_training_counts_denormal_numbers_as_zero_and_the_program_around_it_does_not(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, tiny = [], torch.tensor([71362], dtype=torch.int32).view(torch.float32)  # 1e-40

    def start(request: object) -> list[object]:
        found.append(tiny * 0.5)
        return []

    monkeypatch.setattr("cnn_train.cli.fit.resuming.start", start)
    cnn_train("fit", "--config", tiny_config)
    assert [number.view(torch.int32).item() for number in found] == [0]
    assert (tiny * 0.5).view(torch.int32).item() != 0


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{keep: 0.5, from_epoch: 1}", "from epoch 2 on, the 25 images with the largest last loss"),
        ("{keep: 0.1, from_epoch: 0, by: random}", "from epoch 1 on, the 5 images drawn at random"),
        ("{from_epoch: 1}", None),
    ],
)
def test_the_plan_names_the_images_that_later_epochs_train_on(
    cnn_train: Run, tiny_config: Path, settings: str, words: str | None
) -> None:
    selection = f"data_selection={settings}"
    shown = cnn_train("fit", "--config", tiny_config, "--set", selection)
    assert shown.exit_code == 0
    assert (f" selection  {words}\n" in shown.stderr) == (words is not None)
    assert ("2 epochs × up to " in shown.stderr) == (words is not None)


def test_limit_batches_shortens_every_epoch(cnn_train: Run, tiny_config: Path) -> None:
    result = cnn_train("fit", "--config", tiny_config, "--limit-batches", 1, "--json")
    assert load_checkpoint(Path(result.document["last_checkpoint"])).step == 2
    assert "2 epochs × 1 update of 20 images" in result.stderr


@pytest.mark.usefixtures("no_pictures")
def test_a_run_has_the_name_it_was_given_or_its_configs(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    options = ("--config", tiny_config, "--limit-batches", 1, "--run-root", "all my runs", "--json")
    named, unnamed = cnn_train("fit", *options, "--name", "first"), cnn_train("fit", *options)
    names = [Path(result.document["run_dir"]).name for result in (named, unnamed)]
    assert [name.split("-")[0] for name in names] == ["first", "tiny"]
    assert {path.name for path in (tmp_path / "all my runs").iterdir()} == {*names, "latest"}


@pytest.mark.usefixtures("no_pictures")
def test_a_config_may_come_from_standard_input(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(tiny_config.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    result = cnn_train("fit", "--config", "-", "--limit-batches", 1, "--json")
    assert Path(result.document["run_dir"]).name.startswith("stdin-")
    assert Path(result.document["run_dir"], "config.yaml").read_text() == tiny_config.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--config", "--resume"]),
        (["--config", "absent.yaml"], ["absent.yaml", "no such config file"]),
        (["--config", "tiny.yaml", "--allow-config-change", "epochs"], ["--resume"]),
        (["--config", "tiny.yaml", "--device", "gpu"], ["--device gpu: unknown", "choose auto"]),
        (["--config", "tiny.yaml", "--set", "epochs=0"], ["--set epochs=0", "epochs"]),
        (["--config", "tiny.yaml", "--set", "epoch=3"], ["did you mean 'epochs'"]),
        (["--config", "tiny.yaml", "--seed", "-1"], ["seed"]),
        (["--config", "tiny.yaml", "--name", "a/b"], ["--name a/b"]),
        (["--config", "tiny.yaml", "--data-root", "x"], ["--data-root goes with --resume"]),
        (["--resume", "runs/x", "--name", "y"], ["--name is for a new run"]),
        (["--resume", "runs/x", "--weights", "y.ckpt"], ["--weights is for a new run; leave it"]),
        (["--resume", "runs/x", "--new-head"], ["--new-head is for a new run"]),
        (["--resume", "auto", "--sanity"], ["--sanity is for a new run"]),
    ],
)
def test_a_wrong_command_line_costs_one_line_and_exit_code_2(
    cnn_train: Run, tiny_config: Path, arguments: list[str], words: list[str]
) -> None:
    result = cnn_train("fit", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert_one_line(result.stderr, *words)


def test_a_wrong_command_line_leaves_no_run_directory(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    cnn_train("fit", "--config", tiny_config, "--device", "gpu")
    cnn_train("fit", "--config", tiny_config, "--set", "model.name=vgg16", "--name", "a/b")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_resuming_what_is_no_run_or_is_damaged_is_exit_code_4(
    cnn_train: Run, tmp_path: Path
) -> None:
    result = cnn_train("fit", "--resume", "runs/absent")
    assert result.exit_code == 4
    assert_one_line(result.stderr, "runs/absent: no run with a checkpoint")
    (tmp_path / "last.ckpt").write_text("hello")
    result = cnn_train("fit", "--resume", ".")
    assert result.exit_code == 4
    assert_one_line(result.stderr, "last.ckpt: not a cnn-train checkpoint")


def test_a_diverged_run_is_exit_code_5_and_keeps_its_checkpoint(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    result = cnn_train(
        "fit", "--config", tiny_config, "--set", "optimizer.lr=1e30", "--set", "epochs=20"
    )
    assert result.exit_code == 5
    assert_one_line(result.stderr, "is not finite at learning rate", "Lower optimizer.lr")
    (checkpoint,) = tmp_path.glob("runs/*-*/last.ckpt")
    assert load_checkpoint(checkpoint).epoch == 0


def test_a_full_disk_is_exit_code_6(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    result = cnn_train("fit", "--config", tiny_config)
    assert result.exit_code == 6
    assert_one_line(result.stderr, "disk full; need")


@pytest.fixture
def stop_at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sends this process a signal as soon as the next run can hear it."""

    def arrange(signum: int) -> None:
        def send_when_shown(session: Any, bar: Any, tallies: Any) -> Iterator[Any]:
            for tally in tallies:
                os.kill(os.getpid(), signum)
                yield tally

        monkeypatch.setattr(training_display, "watch", send_when_shown)

    return arrange


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(("signum", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_saves_and_says_how_to_go_on(
    cnn_train: Run,
    tiny_config: Path,
    stop_at_once: Callable[[int], None],
    signum: int,
    exit_code: int,
) -> None:
    handler = signal.getsignal(signum)
    stop_at_once(signum)
    stopped = cnn_train("fit", "--config", tiny_config, "--json")
    assert stopped.exit_code == exit_code
    assert signal.getsignal(signum) is handler
    failure = stopped.document["error"]
    assert (failure["code"], failure["kind"]) == (exit_code, "interrupted")
    assert f"error: {failure['message']}\n" in stopped.stderr
    (command,) = (line for line in stopped.stderr.splitlines() if "--resume" in line)
    run_dir = command.rpartition(" ")[2]
    assert load_checkpoint(Path(run_dir) / "last.ckpt").position == 1


@pytest.mark.usefixtures("no_pictures")
def test_a_setting_without_effect_is_warned_of(cnn_train: Run, tiny_config: Path) -> None:
    result = cnn_train(
        "fit", "--config", tiny_config, "--set", "schedule.warmup_epochs=2", "--dry-run"
    )
    assert "warning: schedule.warmup_epochs 2" in result.stderr


@pytest.mark.usefixtures("no_pictures")
def test_ctrl_c_from_outside_saves_and_resuming_completes_the_run_exactly(
    cnn_train: Run, start_command: Callable[..., Child], tiny_config: Path, tmp_path: Path
) -> None:
    """The stopped run has a process of its own."""
    settings = ["--set", "epochs=40"]
    straight = cnn_train("fit", "--config", tiny_config, *settings, "--json").document
    process = start_command("fit", "--config", tiny_config, *settings, cwd=tmp_path)
    process.wait_until_said("epoch 1/")
    process.signal(signal.SIGINT)
    ended = process.wait()
    assert (ended.exit_code, ended.stdout, ended.has_traceback) == (130, "", False)
    assert "all saved. Go on with: cnn-train fit --resume runs/tiny-" in ended.stderr
    stopped = load_checkpoint(tmp_path / "runs" / "latest" / "last.ckpt")
    assert 1 <= stopped.epoch < 40
    resumed = cnn_train("fit", "--resume", "runs/latest", "--json").document
    assert resumed["epochs"] == 40
    expected = load_checkpoint(Path(straight["last_checkpoint"]))
    assert same_weights(load_checkpoint(Path(resumed["last_checkpoint"])), expected)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Write a config for wide 16-bit files that hold 12 bits, and the files."""
    for split, number in (("train", 4), ("test", 2)):
        for name, value in (("dark", 300), ("light", 3000)):
            for i in range(number):
                path = tmp_path / "scans" / split / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.full((40, 100), value + i, dtype=np.uint16)).save(path)
    config = tmp_path / "scans.yaml"
    config.write_text(
        "data: {name: folder, root: scans, image_size: 8, fit: pad, split: position}\n"
        "model: {name: linear}\nepochs: 1\nbatch_size: 3\nprecision: float32\n"
    )
    return config


def test_files_are_read_in_use_as_in_training_without_being_told(
    cnn_train: Run, scans: Path, tmp_path: Path
) -> None:
    common = ("--data-dir", "data", "--device", "cpu")
    fitted = cnn_train("fit", "--config", scans, *common)
    assert fitted.exit_code == 0
    range_said = "16-bit files with values up to 4,095 at most are taken as 12-bit grey"
    assert fitted.stderr.count(range_said) == fitted.stderr.count("12-bit") == 1
    trained = load_trained_model(tmp_path / "runs" / "latest" / "best.ckpt", "cpu")
    levels = [round(value * 255 / 4095) for value in (300, 301, 3000, 3001)]
    seen = [np.full((8, 8), 128) for _ in levels]
    for level, image in zip(levels, seen, strict=True):
        image[2:5] = level  # 100 × 40 px become 8 × 3
    test = load_split(trained, "test", DataAccess(tmp_path / "data"))
    predictions, _ = predict_files(trained, ["scans/test"])
    by_hand = [inspect_image(Path(one.path), trained.reading()).seen_CHW for one in predictions]
    subjects = Subjects.load([Path(one.path) for one in predictions], trained.reading())
    for images in (test.images_NCHW, [p.image_CHW for p in predictions], by_hand,
                   subjects.images_NCHW):  # fmt: skip
        assert np.array_equal(np.stack([image[1].numpy() for image in images]), seen)
    resumed = cnn_train("fit", "--config", scans, "--resume", "auto", *common)
    assert (resumed.exit_code, "nothing to do" in resumed.stderr) == (0, True), resumed.stderr


def test_the_start_says_what_the_networks_size_and_the_crop_lose(
    cnn_train: Run, scans: Path
) -> None:
    arguments = ("fit", "--config", scans, "--data-dir", "data", "--device", "cpu", "--dry-run")
    plain = cnn_train(*arguments, "--set", "data.fit=crop").stderr
    assert "     files  100×40 → 8×8 (image_size)\n" in plain
    assert "--set data.image_size=16 shows it more" in plain  # 40 px are 5 times 8
    assert "8 of 8 files are 4:3 or longer, and crop cuts off 60 % of these" in plain
    kept = cnn_train(*arguments, "--set", "data.image_size=16").stderr
    assert "100×40 → 16×16" in kept
    assert "data.image_size=32" not in kept and "4:3" not in kept
