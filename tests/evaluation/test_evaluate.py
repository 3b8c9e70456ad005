import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_train.data.dataset import DataAccess
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.errors import CheckpointError, DataError, UsageError
from cnn_train.evaluation.evaluate import evaluate, load_split
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import TrainedModel
from cnn_train.machine.device import Device, Precision

SHAPES = {"name": "shapes", "num_train": 100, "num_test": 30, "image_size": 16}


class PixelsAreScores(nn.Module):
    """The scores stand in the first pixels of the first row: tests dictate them."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, images_BCHW):
        return images_BCHW[:, 0, 0, : self.num_classes].float()


def make_trained(
    class_names=("cat", "dog", "frog"), loss="cross_entropy", model=None, image_size=8
) -> TrainedModel:
    return TrainedModel(
        model=(model or PixelsAreScores(len(class_names))).eval(),
        class_names=tuple(class_names),
        image_shape=(3, image_size, image_size),
        normalization=Normalization(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        config=ExperimentConfig.model_validate({"loss": {"name": loss}, "data": SHAPES}),
        device=Device(torch.device("cpu"), "as requested"),
        precision=Precision(torch.float32, "as configured"),
        data_fingerprints={},
        epoch=1,
        val_accuracy=None,
    )


def make_images(scores_255, labels, class_names=("cat", "dog", "frog")) -> ImageSet:
    """Images whose first pixels hold ``scores_255`` (the score is value / 255)."""
    images_NCHW = torch.zeros(len(scores_255), 3, 8, 8, dtype=torch.uint8)
    for image_CHW, scores in zip(images_NCHW, scores_255, strict=True):
        image_CHW[0, 0, : len(scores)] = torch.tensor(scores, dtype=torch.uint8)
    names = tuple(f"test/{i:05d}" for i in range(len(scores_255)))
    return ImageSet(images_NCHW, torch.tensor(labels), tuple(class_names), names)


FOUR_SCORES = [[255, 0, 0], [0, 51, 0], [0, 204, 102], [0, 0, 255]]
FOUR_LABELS = [0, 1, 2, 0]
FOUR = make_images(FOUR_SCORES, FOUR_LABELS)


def test_accuracy_confusion_and_classes_equal_a_hand_counted_case():
    result = evaluate(make_trained(), FOUR)
    assert result.accuracy == 0.5
    assert result.confusion_KK.tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]
    assert [one.accuracy for one in result.per_class] == [0.5, 1.0, 0.0]
    assert [one.precision for one in result.per_class] == [1.0, 0.5, 0.0]
    assert result.predicted_N.tolist() == [0, 1, 1, 2]


def test_the_loss_is_the_mean_over_images_of_the_trained_loss():
    scores_NK = torch.tensor(FOUR_SCORES, dtype=torch.float64) / 255
    expected = sum(
        math.log(sum(math.exp(s) for s in row)) - row[label]
        for row, label in zip(scores_NK.tolist(), FOUR_LABELS, strict=True)
    )
    assert evaluate(make_trained(), FOUR).loss == pytest.approx(expected / 4, abs=1e-6)
    hinge = F.multi_margin_loss(scores_NK, torch.tensor(FOUR_LABELS)) * 3
    assert evaluate(make_trained(loss="hinge"), FOUR).loss == pytest.approx(hinge.item(), abs=1e-6)


def test_hinge_has_no_calibration_because_its_scores_are_no_probabilities():
    assert evaluate(make_trained(loss="hinge"), FOUR).calibration is None
    assert evaluate(make_trained(), FOUR).calibration is not None


def test_top5_is_left_out_where_every_answer_is_among_the_best_five():
    assert evaluate(make_trained(), FOUR).top5_accuracy is None
    names = tuple("abcdefg")
    images = make_images([[7, 6, 5, 4, 3, 2, 1], [7, 6, 5, 4, 3, 2, 1]], [4, 5], names)
    assert evaluate(make_trained(names), images).top5_accuracy == 0.5


@pytest.mark.parametrize("batch_size", [1, 7, 100, 512])
def test_the_batch_size_changes_neither_answers_nor_statistics(batch_size):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3)
    )
    images = ImageSet(
        torch.randint(256, (101, 3, 8, 8), dtype=torch.uint8),
        torch.randint(3, (101,)),
        ("cat", "dog", "frog"),
        tuple(map(str, range(101))),
    )
    trained = make_trained(model=model)
    whole, parts = evaluate(trained, images), evaluate(trained, images, batch_size=batch_size)
    assert torch.equal(parts.predicted_N, whole.predicted_N)
    assert torch.allclose(parts.scores_NK, whole.scores_NK, rtol=0, atol=1e-5)
    assert parts.confusion_KK.equal(whole.confusion_KK)
    assert parts.loss == pytest.approx(whole.loss, abs=1e-6)


def test_progress_hears_of_every_image_once(counting):
    evaluate(make_trained(), FOUR, batch_size=3, progress=counting)
    assert counting.totals == [(4, 4)]


def test_a_model_that_returns_nan_is_an_error_and_not_class_zero():
    class Dead(PixelsAreScores):
        def forward(self, images_BCHW):
            scores_BK = super().forward(images_BCHW)
            scores_BK[1] = math.nan
            return scores_BK

    with pytest.raises(CheckpointError, match=r"not finite \(NaN\) for 1 of 4 images"):
        evaluate(make_trained(model=Dead(3)), FOUR)


@pytest.mark.parametrize(
    ("images", "image_size", "message"),
    [
        (FOUR.select([]), 8, "the test split holds no images"),
        (FOUR, 16, "8×8 with 3 channels, but the model takes 16×16"),
        (
            make_images(FOUR_SCORES, FOUR_LABELS, ("cat", "dog", "bird")), 8,
            "cat, dog, bird, but the model knows cat, dog, frog",
        ),
        (make_images(FOUR_SCORES, [0, 1, -1, 2]), 8, "test/00002: label -1 is out of range 0 to 2"),
        (make_images(FOUR_SCORES, [0, 1, 3, 2]), 8, "test/00002: label 3 is out of range 0 to 2"),
    ],
)  # fmt: skip
def test_images_that_do_not_fit_the_model_are_an_error(images, image_size, message):
    with pytest.raises(DataError, match=message):
        evaluate(make_trained(image_size=image_size), images)


def access(tmp_path: Path, notices: list[str] | None = None) -> DataAccess:
    seen = [] if notices is None else notices
    return DataAccess(tmp_path, offline=True, notice=seen.append)


def test_the_test_split_is_labelled_by_the_models_class_order(tmp_path):
    order = tuple(reversed(load_shapes_classes(tmp_path)))
    images = load_split(make_trained(order), "test", access(tmp_path))
    assert images.class_names == order
    assert len(images) == 30


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_split_is_labelled_by_the_models_order_and_may_lack_classes(tmp_path, split):
    order = (*reversed(load_shapes_classes(tmp_path)), "another")
    plain = load_split(make_trained(load_shapes_classes(tmp_path)), split, access(tmp_path))
    images = load_split(make_trained(order), split, access(tmp_path))
    last = len(order) - 2
    assert images.class_names == order
    assert images.labels_N.tolist() == [last - label for label in plain.labels_N.tolist()]


def load_shapes_classes(tmp_path: Path) -> tuple[str, ...]:
    config = ExperimentConfig.model_validate({"data": SHAPES}).data
    return config.load_train(access(tmp_path)).class_names


def test_train_and_val_are_the_parts_of_the_training_set_and_strangers_are_noticed(tmp_path):
    trained, notices = make_trained(load_shapes_classes(tmp_path)), []
    val = load_split(trained, "val", access(tmp_path, notices))
    train = load_split(trained, "train", access(tmp_path, notices))
    assert len(train) + len(val) == 100
    assert notices == [
        "these val images are not those of the model's training run",
        "these train images are not those of the model's training run",
    ]
    known = replace(trained, data_fingerprints={"val": val.fingerprint()})
    notices.clear()
    load_split(known, "val", access(tmp_path, notices))
    assert notices == []


def test_data_root_moves_a_dataset_that_has_files_and_is_refused_by_one_that_has_none(tmp_path):
    with pytest.raises(UsageError, match="no files to look for"):
        load_split(make_trained(), "test", access(tmp_path), tmp_path / "elsewhere")
    cifar10 = ExperimentConfig.model_validate({"data": {"name": "cifar10"}})
    trained = replace(make_trained(), config=cifar10)
    with pytest.raises(DataError, match="elsewhere"):
        load_split(trained, "test", access(tmp_path), tmp_path / "elsewhere")


def test_the_json_document_has_the_documented_keys_and_no_nan():
    images = make_images(FOUR_SCORES, [0, 0, 0, 0])  # frog and dog have no examples
    for loss in ("cross_entropy", "hinge"):
        document = evaluate(make_trained(loss=loss), images).to_json(Path("best.ckpt"))
        text = json.dumps(document, allow_nan=False)
        assert {
            "split", "num_examples", "accuracy", "loss", "per_class", "confusion",
            "calibration_error", "calibration_bins", "accuracy_interval", "top5_accuracy", "tta",
            "tta_share", "checkpoint", "num_trained_on", "balanced_accuracy", "macro_precision",
            "macro_recall", "macro_f1",
        } == set(json.loads(text))  # fmt: skip
        assert set(document["per_class"][0]) == {
            "label", "num_examples", "accuracy", "precision", "f1"
        }  # fmt: skip
        assert document["per_class"][1]["accuracy"] is None
        assert (document["calibration_error"] is None) == (loss == "hinge")
