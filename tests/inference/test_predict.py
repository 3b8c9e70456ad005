import math
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pretended_gpu import GPU
from torch import nn

from cnn_train.data.dataset import DataAccess
from cnn_train.data.images import decoding
from cnn_train.data.normalization import Normalization
from cnn_train.errors import DataError
from cnn_train.evaluation.evaluate import evaluate, load_split
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.predict import predict_files
from cnn_train.inference.trained_model import TrainedModel
from cnn_train.machine.device import Device, Precision

SHAPES = {"name": "shapes", "num_train": 20, "num_test": 20, "image_size": 16}


class Brightness(nn.Module):
    """Scores of three classes: the mean red, green and blue of the image."""

    def forward(self, images_BCHW):
        return images_BCHW.float().mean(dim=(2, 3))


def make_trained(
    model=None, loss="cross_entropy", class_names=("red", "green", "blue"), shape=(3, 16, 16)
) -> TrainedModel:
    return TrainedModel(
        model=(model or Brightness()).eval(),
        class_names=class_names,
        image_shape=shape,
        normalization=Normalization(mean=(0.0,) * shape[0], std=(1.0,) * shape[0]),
        config=ExperimentConfig.model_validate({"loss": {"name": loss}, "data": SHAPES}),
        device=Device(torch.device("cpu"), "as requested"),
        precision=Precision(torch.float32, "as configured"),
        data_fingerprints={},
        epoch=1,
        val_accuracy=None,
    )


@pytest.fixture
def photos(tmp_path) -> Path:
    """One picture of each colour: their names do not follow the classes' order."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in {"a": (0, 255, 0), "b": (255, 0, 51), "c": (0, 51, 255)}.items():
        Image.new("RGB", (40, 24), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def loaded(monkeypatch) -> list[Path]:
    """The files that have been read so far."""
    files, read = [], decoding.load_image
    monkeypatch.setattr(
        decoding, "load_image", lambda path, bits: (files.append(path), read(path))[1]
    )
    return files


def test_each_file_gets_its_class_scores_and_probabilities_in_the_order_named(photos):
    predictions, errors = predict_files(make_trained(), [photos / "b.png", photos / "a.png"])
    assert errors == []
    assert [one.path for one in predictions] == [str(photos / "b.png"), str(photos / "a.png")]
    first = predictions[0]
    assert [one.label for one in first.top] == ["red", "blue", "green"]
    assert [one.index for one in first.top] == [0, 2, 1]
    assert [one.score for one in first.top] == pytest.approx([1.0, 0.2, 0.0])
    total = math.exp(1.0) + math.exp(0.2) + math.exp(0.0)
    assert first.top[0].probability == pytest.approx(math.e / total)
    assert first.margin == pytest.approx(0.8)


def test_hinge_scores_have_no_probability(photos):
    predictions, _ = predict_files(make_trained(loss="hinge"), [photos])
    assert {one.probability for prediction in predictions for one in prediction.top} == {None}
    assert predictions[0].to_json()["probability"] is None


def test_the_json_entry_has_exactly_the_documented_keys(photos):
    predictions, _ = predict_files(make_trained(), [photos / "b.png"], top_k=2)
    entry = predictions[0].to_json()
    assert set(entry) == {
        "path", "label", "index", "score", "probability", "margin", "top", "notices"
    }  # fmt: skip
    assert (entry["label"], entry["index"]) == ("red", 0)
    total = sum(map(math.exp, (1.0, 0.0, 0.2)))  # red, green, blue
    assert entry["top"] == [
        {"label": "red", "index": 0, "score": 1.0, "probability": pytest.approx(math.e / total)},
        {
            "label": "blue",
            "index": 2,
            "score": pytest.approx(0.2),
            "probability": pytest.approx(math.exp(0.2) / total),
        },
    ]
    assert (entry["margin"], entry["notices"]) == (pytest.approx(0.8), [])


@pytest.mark.parametrize(("top_k", "num_shown"), [(1, 1), (2, 2), (3, 3), (50, 3)])
def test_top_k_is_cut_to_the_number_of_classes(photos, top_k, num_shown):
    predictions, _ = predict_files(make_trained(), [photos / "a.png"], top_k=top_k)
    assert len(predictions[0].top) == num_shown
    assert predictions[0].margin == pytest.approx(1.0)


def test_a_bad_file_is_one_entry_and_the_others_are_still_predicted(photos):
    (photos / "aa.png").write_text("not a picture")
    (photos / "bb.png").write_bytes((photos / "b.png").read_bytes()[:60])
    missing = photos / "missing.png"
    predictions, errors = predict_files(make_trained(), [photos, missing], batch_size=2)
    assert [one.top[0].label for one in predictions] == ["green", "red", "blue"]
    assert [one.path for one in errors] == [
        str(photos / "aa.png"), str(photos / "bb.png"), str(missing)
    ]  # fmt: skip
    assert all(one.message.startswith(f"{one.path}: ") for one in errors)
    assert all("\n" not in one.message for one in errors)


def test_the_order_is_kept_over_many_batches_with_bad_files_among_them(photos):
    files, expected = [], []
    for i in range(90):
        files.append(photos / f"{i:02}.png")
        if i % 7 == 3:
            files[-1].write_text("not a picture")
        else:
            Image.new("RGB", (16, 16), (i, 255 - i, 0)).save(files[-1])
            expected.append((str(files[-1]), pytest.approx(i / 255)))
    predictions, errors = predict_files(make_trained(), files, batch_size=8)
    reds = [next(c.score for c in one.top if c.label == "red") for one in predictions]
    assert list(zip([one.path for one in predictions], reds, strict=True)) == expected
    assert [one.path for one in errors] == [str(file) for file in files[3::7]]


def test_a_gpu_computes_while_the_next_files_are_read(photos, monkeypatch, gpu):
    second_was_read = threading.Event()
    read = decoding.load_image

    def load(path, grey_bits):
        if path.name == "b.png":
            second_was_read.set()
        return read(path)

    class Waiting(Brightness):
        def forward(self, images_BCHW):
            assert second_was_read.wait(timeout=60)
            return super().forward(images_BCHW)

    monkeypatch.setattr(decoding, "load_image", load)
    trained = replace(make_trained(Waiting()), device=Device(GPU, "as requested"))
    predictions, _ = predict_files(trained, [photos / "a.png", photos / "b.png"], batch_size=1)
    assert len(predictions) == 2


def test_nothing_takes_a_core_from_a_network_that_computes_on_all_of_them(photos, loaded):
    class Looking(Brightness):
        def forward(self, images_BCHW):
            time.sleep(0.05)
            seen.append(len(loaded))
            return super().forward(images_BCHW)

    seen: list[int] = []
    predict_files(make_trained(Looking()), [photos], batch_size=1)
    assert seen == [1, 2, 3]


def test_an_interruption_leaves_no_thread_and_reads_little_further(photos, loaded):
    class Interrupted(Brightness):
        def forward(self, images_BCHW):
            raise KeyboardInterrupt

    before = threading.active_count()
    copies = []
    for i in range(50):
        copies.append(photos / f"copy{i:02}.png")
        copies[-1].write_bytes((photos / "a.png").read_bytes())
    with pytest.raises(KeyboardInterrupt):
        predict_files(make_trained(Interrupted()), copies, batch_size=1)
    assert threading.active_count() == before
    assert len(loaded) < 10


def test_a_batch_of_nothing_but_bad_files_predicts_nothing(photos):
    predictions, errors = predict_files(make_trained(), [photos / "x.png", photos / "y.png"])
    assert (predictions, len(errors)) == ([], 2)


def test_scores_that_are_nan_are_an_entry_and_never_class_zero(photos):
    class DeadOnGreen(Brightness):
        def forward(self, images_BCHW):
            scores_BK = super().forward(images_BCHW)
            return scores_BK.where(scores_BK[:, 1:2] < 0.9, math.nan)

    predictions, errors = predict_files(make_trained(DeadOnGreen()), [photos])
    assert [one.top[0].label for one in predictions] == ["red", "blue"]
    assert errors[0].path == str(photos / "a.png")
    assert "the model returned NaN scores" in errors[0].message


def test_the_network_sees_a_square_of_its_own_size(photos):
    (prediction,), _ = predict_files(make_trained(), [photos / "b.png"])
    assert prediction.image_CHW.shape == (3, 16, 16)
    assert prediction.image_CHW[:, 5, 5].tolist() == [255, 0, 51]


def test_what_had_to_be_decided_to_read_a_file_is_told(photos):
    Image.new("RGBA", (16, 16), (255, 0, 0, 0)).save(photos / "glass.png")
    (prediction,), _ = predict_files(make_trained(), [photos / "glass.png"])
    assert prediction.notices != ()
    assert prediction.image_CHW.unique().tolist() == [255]


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 16, 20)])
def test_a_model_that_takes_no_square_rgb_images_is_an_error(photos, shape):
    with pytest.raises(DataError, match=f"{shape[2]}×16 pixels and {shape[0]} .* square RGB"):
        predict_files(make_trained(shape=shape), [photos])


def test_predicting_exported_test_images_equals_their_rows_in_evaluate(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 10)
    )
    access = DataAccess(tmp_path, offline=True)
    config = ExperimentConfig.model_validate({"data": SHAPES}).data
    class_names = config.load_train(access).class_names
    trained = make_trained(model, class_names=class_names)
    evaluation = evaluate(trained, load_split(trained, "test", access))
    files = []
    for i, image_CHW in enumerate(evaluation.images.images_NCHW):
        files.append(tmp_path / f"{i:05d}.png")
        Image.fromarray(np.ascontiguousarray(image_CHW.permute(1, 2, 0))).save(files[-1])
    predictions, _ = predict_files(trained, files, top_k=10)
    assert [one.top[0].index for one in predictions] == evaluation.predicted_N.tolist()
    for prediction, scores_K in zip(predictions, evaluation.scores_NK, strict=True):
        shown = {one.index: one.score for one in prediction.top}
        assert [shown[k] for k in range(10)] == scores_K.tolist()
        assert predict_alone(trained, prediction.path) == pytest.approx(shown, abs=1e-5)


def predict_alone(trained, path) -> dict[int, float]:
    (prediction,), _ = predict_files(trained, [path], top_k=10)
    return {one.index: one.score for one in prediction.top}
