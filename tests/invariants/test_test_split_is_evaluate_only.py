"""The test images are opened by evaluation and by nothing that learns or chooses."""

import ast
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.transforms.functional import to_pil_image

from cnn_train.data.catalogue import DATASETS
from cnn_train.data.dataset import DataAccess
from cnn_train.data.splits import load_training_splits
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import resolve_device
from cnn_train.runs.directory import RunDirectory
from cnn_train.training.building import build_session
from cnn_train.training.fit import Supervision, fit

PACKAGE = Path(__file__).parents[2] / "cnn_train"

# Evaluation, and the two tools that look at files without training: `data verify`, `data show`.
MAY_OPEN_THE_TEST_SPLIT = {"evaluation/evaluate.py", "data/verify.py", "cli/data.py"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder dataset of two classes with a training and a test split."""
    generator = torch.Generator().manual_seed(0)
    for split, num in (("train", 10), ("test", 3)):
        for name in ("cat", "dog"):
            directory = tmp_path / "images" / split / name
            directory.mkdir(parents=True)
            for i in range(num):
                image = torch.randint(256, (3, 16, 16), generator=generator, dtype=torch.uint8)
                to_pil_image(image).save(directory / f"{i}.png")
    return tmp_path / "images"


def train(config: ExperimentConfig, tmp_path: Path) -> dict[str, Any]:
    """Train as ``cnn-train fit`` does; return the final weights."""
    train_images, val_images = load_training_splits(config.data, DataAccess(tmp_path / "data"))
    session = build_session(config, train_images, val_images, resolve_device("cpu"))
    for _ in fit(session, Supervision(RunDirectory.create(tmp_path / "runs", "run"))):
        pass
    return session.checkpoint().model


def make_config(data: dict[str, Any]) -> ExperimentConfig:
    settings = {"model": {"name": "linear"}, "epochs": 1, "precision": "float32"}
    return ExperimentConfig.model_validate({"data": data, **settings})


def test_training_with_the_test_files_removed_gives_the_very_same_weights(
    folder: Path, tmp_path: Path
) -> None:
    config = make_config({"name": "folder", "root": str(folder), "image_size": 16})
    with_test_files = train(config, tmp_path)
    shutil.rmtree(folder / "test")
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    without = train(config, tmp_path)
    assert all(torch.equal(without[name], value) for name, value in with_test_files.items())


@pytest.mark.parametrize("name", ["folder", "shapes"])
def test_training_never_asks_for_the_test_split(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("training opened the test split")

    for dataset in DATASETS.values():
        monkeypatch.setattr(dataset, "load_test", refuse)
    data = {
        "folder": {"name": "folder", "root": str(folder), "image_size": 16},
        "shapes": {"name": "shapes", "num_train": 40, "image_size": 16},
    }
    train(make_config(data[name]), tmp_path)


def test_only_evaluation_and_the_data_tools_call_for_the_test_split() -> None:
    callers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "load_test"
    }
    assert callers == MAY_OPEN_THE_TEST_SPLIT
