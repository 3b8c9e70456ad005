"""Real files of older releases, made by those releases, still mean what they meant.

version_1.ckpt and version_2.ckpt were saved by the last commits before formats 2 and 3, in the
middle of the second of three epochs: ``fit(session, run, should_stop=…)`` of their config stopped
after 8 updates. version_1.json holds what both then went on to measure, by ``resume_session`` and
``fit`` on one thread (``go_on`` below): the old releases' own numbers until augmentation came to be
drawn once per epoch, those of that change since.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.transforms.functional import to_pil_image

from cnn_train.checkpoints import migration as checkpoint_migration
from cnn_train.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cnn_train.checkpoints.inspection import checkpoint_config
from cnn_train.checkpoints.migration import FORMAT_VERSION, MIGRATIONS, migrate
from cnn_train.data.dataset import DataAccess
from cnn_train.data.splits import load_training_splits
from cnn_train.evaluation.evaluate import evaluate, load_split
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import load_trained_model
from cnn_train.machine.device import Device
from cnn_train.training.building import build_session
from cnn_train.training.fit import fit
from cnn_train.training.resuming import resume_session

FILES = Path(__file__).parents[1] / "checkpoints"
VERSION_1 = FILES / "version_1.ckpt"
every_version = pytest.mark.parametrize(
    "path", sorted(FILES.glob("version_*.ckpt")), ids=lambda path: path.stem
)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the images that the old runs trained on, as files below the current folder."""
    monkeypatch.chdir(tmp_path)
    generator = torch.Generator().manual_seed(0)
    for split, number in (("train", 20), ("test", 6)):
        for label, name in enumerate(("cat", "dog", "owl")):
            folder = Path("images", split, name)
            folder.mkdir(parents=True)
            for i in range(number):
                image = torch.randint(0, 100, (3, 8, 8), generator=generator) + 50 * label
                to_pil_image(image.to(torch.uint8)).save(folder / f"{i:02}.png")


@pytest.fixture
def go_on(cpu: Device) -> Callable[[Checkpoint], list[dict[str, float]]]:
    """Return a function that trains from a checkpoint to the end and returns all records."""

    def train(checkpoint: Checkpoint) -> list[dict[str, float]]:
        config: ExperimentConfig = checkpoint_config(checkpoint, "the old file")
        access = DataAccess(Path("data"), offline=True)
        session = build_session(config, *load_training_splits(config.data, access), cpu)
        resume_session(session, checkpoint)
        return [asdict(record) for record in fit(session)]

    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield train
    torch.set_num_threads(num_threads)


def without_times(records: list[dict[str, float]]) -> list[dict[str, float]]:
    timed = ("seconds", "images_per_second")
    return [{key: one[key] for key in one if key not in timed} for one in records]


@every_version
@pytest.mark.usefixtures("images")
def test_an_old_checkpoint_evaluates(path: Path) -> None:
    trained = load_trained_model(path, "cpu")
    notices: list[str] = []
    access = DataAccess(Path("data"), offline=True, notice=notices.append)
    measured = evaluate(trained, load_split(trained, "val", access), split="val")
    assert notices == []  # they are the images it was trained beside
    test = evaluate(trained, load_split(trained, "test", access))
    # what the release that wrote the file says of it
    assert test.accuracy == 8 / 18
    assert measured.loss == pytest.approx(1.0515496, abs=1e-5)


@every_version
@pytest.mark.usefixtures("images")
def test_an_old_run_goes_on_with_the_losses_on_record(
    go_on: Callable[[Checkpoint], list[dict[str, float]]], path: Path
) -> None:
    """To the last bit with the processor and torch of the numbers; others round otherwise."""
    golden = json.loads((FILES / "version_1.json").read_text("utf-8"))
    same_torch = torch.__version__.startswith(golden["torch"])
    same = same_torch and torch.backends.cpu.get_cpu_capability() == golden["cpu_capability"]
    records = go_on(load_checkpoint(path))
    assert len(records) == len(golden["epochs"]) == 2
    for found, expected in zip(records, golden["epochs"], strict=True):
        for name, value in expected.items():
            assert found[name] == (value if same else pytest.approx(value, rel=1e-4))


@every_version
@pytest.mark.usefixtures("images")
def test_saving_an_old_checkpoint_anew_changes_no_bit_of_the_run(
    go_on: Callable[[Checkpoint], list[dict[str, float]]], tmp_path: Path, path: Path
) -> None:
    old = load_checkpoint(path)
    save_checkpoint(old, tmp_path / "new.ckpt")
    new = load_checkpoint(tmp_path / "new.ckpt")
    assert without_times(go_on(new)) == without_times(go_on(old))


def test_an_average_from_before_the_warm_up_goes_on_without_one(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    """Format 2 knew no count: its updates 5 and 6 had the decay 0.9, not 6/15 and 7/16."""
    session = start(ema_decay=0.9, limit_batches=2)
    for _ in session.train_rest_of_epoch():
        pass
    state = vars(session.checkpoint())
    del state["averaged_updates"]
    session.average.num_updates = Checkpoint(**migrate(state, 2)).averaged_updates
    weight, average = (next(m.parameters()) for m in (session.model, session.average.module))
    expected = average.double()
    for _ in session.batches.epoch(1):
        torch.nn.init.uniform_(weight)
        session.average.update(session.model)
        expected = 0.9 * expected + 0.1 * weight.double()
    torch.testing.assert_close(average.double(), expected, rtol=1e-6, atol=1e-7)


def test_there_is_a_step_up_from_every_older_version() -> None:
    assert sorted(MIGRATIONS) == list(range(1, FORMAT_VERSION))


def test_migrations_run_one_after_another_up_to_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    def add(field: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda state: {**state, field: len(state)}

    monkeypatch.setattr(checkpoint_migration, "FORMAT_VERSION", 4)
    monkeypatch.setattr(checkpoint_migration, "MIGRATIONS", {1: add("b"), 2: add("c"), 3: add("d")})
    assert migrate({"a": 0}, 1) == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert migrate({"a": 0}, 3) == {"a": 0, "d": 1}
    assert migrate({"a": 0}, 4) == {"a": 0}
    with pytest.raises(KeyError):
        migrate({"a": 0}, 0)


def test_migration_leaves_the_old_fields_as_they_were() -> None:
    stored = torch.load(VERSION_1, weights_only=True)
    before = dict(stored)
    migrated = migrate(stored, 1)
    assert stored == before  # the very same objects: nothing was changed in place
    config = before.pop("config")
    assert all(migrated[name] is value for name, value in before.items())
    # the split that every run had before there was a choice
    data = {**config["data"], "split": "position", "grey_bits": 16}
    assert migrated["config"] == {**config, "data": data}


def test_no_run_of_format_3_chose_its_images_by_their_losses() -> None:
    assert migrate({"a": 1}, 3) == {"a": 1, "image_losses": None}


def test_only_folders_of_older_formats_had_taken_all_16_bits() -> None:
    for name in ("cifar10", "shapes"):
        migrated = migrate({"config": {"data": {"name": name}}, "averaged_model": None}, 2)
        assert migrated["config"] == {"data": {"name": name, "split": "position"}}
