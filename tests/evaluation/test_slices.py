import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnn_train.data.challenges import CHALLENGES
from cnn_train.data.cifar10.harder_tests import find_harder_tests
from cnn_train.data.cifar10.releases import CLASS_NAMES
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.errors import UsageError
from cnn_train.evaluation import slices as challenge_slices
from cnn_train.evaluation.evaluate import evaluate
from cnn_train.evaluation.slices import change_chunk, evaluate_slices, parse_severities
from cnn_train.inference.trained_model import TrainedModel, restore_trained_model
from cnn_train.machine.device import Device
from cnn_train.runs.directory import RunDirectory
from cnn_train.training.building import build_session
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.session import Session

UNCHANGED = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture
def trained(start: Callable[..., Session], cpu: Device, tmp_path: Path) -> TrainedModel:
    """A model that tells three classes apart by their brightness."""
    session = start(epochs=6)
    for _ in fit(session, Supervision(RunDirectory.create(tmp_path / "runs", "run"))):
        pass
    return restore_trained_model(session.checkpoint(), cpu, "test")


@pytest.fixture
def images(make_images: Callable[..., ImageSet]) -> ImageSet:
    return make_images(60, seed=5)


def test_severity_0_is_exactly_the_clean_accuracy(trained: TrainedModel, images: ImageSet) -> None:
    report = evaluate_slices(trained, images)
    clean = evaluate(trained, images).accuracy
    assert [one.name for one in report.slices] == list(CHALLENGES)
    for one in report.slices:
        assert one.severities == (0, 1, 2, 3, 4, 5)
        assert one.accuracy[0] == clean
        assert one.pixels_changed[0] == 0
        assert one.strengths == (None, *CHALLENGES[one.name].strengths)
    assert clean > 0.8
    assert min(min(one.accuracy) for one in report.slices) < clean - 0.2


def test_the_same_seed_gives_the_same_json_and_another_one_another(
    trained: TrainedModel, images: ImageSet
) -> None:
    first, second, other = (
        json.dumps(evaluate_slices(trained, images, seed=seed).to_json(Path("x.ckpt")))
        for seed in (1, 1, 2)
    )
    assert first == second
    without_seed = first.replace('"seed": 1', '"seed": 2')
    assert without_seed != other


def test_accuracy_and_changed_pixels_equal_a_count_over_single_images(
    trained: TrainedModel, images: ImageSet
) -> None:
    report = evaluate_slices(trained, images, severities=(3,), challenges=("cutout", "noise"))
    for one in report.slices:
        before, after = change_chunk(images.images_NCHW, 0, one.name, 3, seed=0)
        answers = [int(trained.scores(image[None]).argmax()) for image in after]
        correct = sum(a == b for a, b in zip(answers, images.labels_N.tolist(), strict=True))
        assert one.accuracy == (correct / 60,)
        pixels = list(zip(before, after, strict=True))
        changed = [
            not torch.equal(a[:, y, x], b[:, y, x])
            for a, b in pixels
            for y in range(8)
            for x in range(8)
        ]
        assert one.pixels_changed == (sum(changed) / len(changed),)


def test_all_pixels_change_when_the_camera_moves(make_images: Callable[..., ImageSet]) -> None:
    """The lecture's sentence, but for a row and a column that a border reflects on themselves."""
    images = make_images(60, shape=(3, 32, 32))
    before, after = change_chunk(images.images_NCHW, 0, "shift", 5, seed=0)
    assert (before != after).any(dim=1).float().mean() > (31 / 32) ** 2 - 0.001


def test_neither_batch_nor_chunk_loses_an_image(
    trained: TrainedModel, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brightness changes each image by itself: only who draws what depends on the chunks."""
    seen: list[int] = []
    monkeypatch.setattr(challenge_slices, "CHUNK", 7)
    for chunk in range(challenge_slices.count_chunks(images.images_NCHW)):
        before_MCHW, _ = change_chunk(images.images_NCHW, chunk, "noise", 1, seed=0)
        assert len(before_MCHW) <= 7
        seen += [
            next(i for i, image in enumerate(images.images_NCHW) if torch.equal(image, one))
            for one in before_MCHW
        ]
    assert sorted(seen) == list(range(60))
    whole = evaluate_slices(trained, images, challenges=("noise",))
    parts = evaluate_slices(trained, images, challenges=("noise",), batch_size=3)
    assert whole.slices == parts.slices


def test_progress_hears_of_every_changed_image_once(
    trained: TrainedModel, images: ImageSet, counting: Any
) -> None:
    changes = {"severities": (0, 2), "challenges": ("shear", "gamma")}
    evaluate_slices(trained, images, **changes, progress=counting)
    assert counting.totals == [(60, 60), (120, 120)]


def test_every_class_has_its_accuracy_and_a_spread(trained: TrainedModel, images: ImageSet) -> None:
    report = evaluate_slices(trained, images, severities=(0,))
    assert [one.label for one in report.classes] == list(images.class_names)
    per_class = [one.accuracy for one in report.clean.per_class]
    assert [one.accuracy for one in report.classes] == per_class
    assert all(one.spread is not None and 0 < one.spread < 0.5 for one in report.classes)


class FirstPixelIsTheClass(nn.Module):
    """Scores are highest for the class whose number is the first level."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(1, 10)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        levels_B1 = images_BCHW[:, 0, 0, :1] * 255
        return -(levels_B1 - torch.arange(10.0)).abs()


def test_corruptions_and_new_tests_are_measured_as_their_files_say(
    tmp_path: Path, make_config: Callable[..., Any], cpu: Device
) -> None:
    """The share of right images falls by a quarter per severity: 1, 3/4, … of four."""
    labels = np.tile(np.array([3, 1, 4, 9], np.uint8), 5)
    levels = labels.copy()
    for severity in range(1, 6):
        levels[4 * (severity - 1) : 4 * (severity - 1) + severity - 1] = 0
    np.save(tmp_path / "fog.npy", levels[:, None, None, None] * np.ones((32, 32, 3), np.uint8))
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "cifar10.1_v6_data.npy", np.full((4, 32, 32, 3), 2, np.uint8))
    np.save(tmp_path / "cifar10.1_v6_labels.npy", np.array([2, 2, 2, 5]))
    pixels = torch.arange(10, dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 32, 32)
    pixels[:5] = 9
    clean = ImageSet(pixels, torch.arange(10), CLASS_NAMES, tuple(CLASS_NAMES))
    session = build_session(make_config(model={"name": "linear"}), clean, clean, cpu)
    model = restore_trained_model(session.checkpoint(), cpu, "test")
    ours = TrainedModel(**(vars(model) | {"model": FirstPixelIsTheClass().eval(),
                           "normalization": UNCHANGED}))  # fmt: skip
    tests, levels_of = find_harder_tests(tmp_path), (0, 1, 3, 5)
    report = evaluate_slices(ours, clean, challenges=(), harder_tests=tests, severities=levels_of)
    (fog,), (new,) = report.slices, report.new_tests
    assert (fog.group, fog.name, fog.num_examples) == ("CIFAR-10-C", "fog", 4)
    assert fog.accuracy == (0.5, 1.0, 0.5, 0.0)
    assert fog.pixels_changed == (None,) * 4
    assert (new.name, new.num_examples, new.accuracy) == ("cifar10.1_v6", 4, 0.75)
    assert report.classes == ()


@pytest.mark.parametrize(
    ("text", "severities"),
    [("0-5", (0, 1, 2, 3, 4, 5)), ("3", (3,)), ("5,1", (1, 5)), ("0, 2-3", (0, 2, 3))],
)
def test_severities_are_a_range_or_a_list(text: str, severities: tuple[int, ...]) -> None:
    assert parse_severities(text) == severities


@pytest.mark.parametrize(
    "text", ["", "6", "7", "7-7", "0,7", "0-9", "-1", "one", "3-1", "1,,2", "1-2-3"]
)
def test_other_severities_are_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match=f"^--severities {text}:"):
        parse_severities(text)
