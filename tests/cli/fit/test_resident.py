"""A folder that is larger than the memory, through the commands; the memory is made tiny."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnn_train.checkpoints.checkpoint import load_checkpoint

Run = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write a folder of 40 images of two classes, and the config of a tiny run on it."""
    rng = np.random.default_rng(0)
    for split, name, count in (("train", "cat", 16), ("train", "dog", 16), ("test", "cat", 8)):
        for i in range(count):
            path = tmp_path / "set" / split / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    path = tmp_path / "tiny.yaml"
    path.write_text(
        f"data: {{name: folder, root: '{tmp_path}/set', image_size: 8, val_fraction: 0.3}}\n"
        "model: {name: linear}\noptimizer: {name: sgd, lr: 0.01}\nbatch_size: 4\nepochs: 2\n"
    )
    return path


@pytest.fixture
def tiny_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_train.machine.free_memory.free_memory", lambda device: 1000)


def test_where_the_images_lie_and_why_is_said_before_training(
    cnn_train: Run, config: Path, tiny_memory: None
) -> None:
    plan = cnn_train("fit", "-c", config, "--dry-run", "--json", "--device", "cpu")
    assert plan.document["plan"]["images"] == (
        "on the host, memory-mapped: 6.14e-06 GB do not fit into 40 % of the 1e-06 GB that are free"
    )
    assert "    images  on the host, memory-mapped: 6.14e-06 GB do not fit into" in plan.stderr
    device = cnn_train("fit", "-c", config, "--dry-run", "--set", "data.resident=device")
    assert "    images  on the device: " in device.stderr


def test_a_run_may_go_on_elsewhere_without_being_allowed_to(
    cnn_train: Run, config: Path, tmp_path: Path, tiny_memory: None
) -> None:
    run = cnn_train("fit", "-c", config, "--json").document["run_dir"]
    arguments = ("fit", "--resume", tmp_path / run, "--set", "data.resident=device", "--dry-run")
    result = cnn_train(*arguments)
    assert result.exit_code == 0, result.stderr
    assert "    images  on the device: " in result.stderr


@pytest.mark.parametrize(
    "arguments", [("show", "--out", "a.png"), ("export", "--out", "copy"), ("verify",)], ids=str
)
def test_the_images_of_a_map_can_be_looked_at(
    cnn_train: Run, config: Path, tiny_memory: None, arguments: tuple[str, ...]
) -> None:
    assert cnn_train("data", *arguments, "--config", config).exit_code == 0


def test_neither_weights_nor_measurements_depend_on_where_images_lie(
    cnn_train: Run, config: Path, tmp_path: Path
) -> None:
    runs = [
        cnn_train("fit", "-c", config, "--name", place, "--set", f"data.resident={place}", "--json")
        for place in ("device", "host")
    ]
    paths = [tmp_path / run.document["last_checkpoint"] for run in runs]
    first, second = (load_checkpoint(path).model for path in paths)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    for options in (["--split", "val"], ["--split", "test"], ["--split", "train", "--slices"]):
        one, other = (cnn_train("evaluate", path, *options, "--json").document for path in paths)
        assert one | {"checkpoint": None} == other | {"checkpoint": None}
