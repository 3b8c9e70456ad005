from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cnn_train.data.images.square import Reading
from cnn_train.data.normalization import Normalization
from cnn_train.errors import DataError
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.predict import predict_files
from cnn_train.inference.trained_model import TrainedModel
from cnn_train.lecture.pixels import inspect_image, measure_channels
from cnn_train.machine.device import Device, Precision

NORMALIZATION = Normalization((0.5, 0.25, 0.1), (0.5, 0.25, 0.2))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """An 800 × 600 photograph, as far as the computer can tell."""
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(10, 240, size=(600, 800, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_an_800_by_600_file_has_the_lectures_number_of_values(photo: Path) -> None:
    document = inspect_image(photo).to_json(with_pixels=False)
    assert document["num_values"] == 1_440_000
    assert document["shape"] == [600, 800, 3]
    assert document["dtype"] == "uint8"
    assert document["range"] == [10, 239]
    assert document["network"]["shape"] == [32, 32, 3]
    assert document["network"]["num_values"] == 3_072
    assert "pixels" not in document["network"]


def test_the_numbers_are_the_files_own(tmp_path: Path) -> None:
    rows = [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [250, 254, 255]]]
    Image.fromarray(np.array(rows, dtype=np.uint8)).save(tmp_path / "tiny.png")
    document = inspect_image(tmp_path / "tiny.png", Reading(2)).to_json(with_pixels=True)
    assert document["network"]["pixels"] == {
        "red": [[0, 3], [6, 250]],
        "green": [[1, 4], [7, 254]],
        "blue": [[2, 5], [8, 255]],
    }
    assert document["channels"][2] == {"name": "blue", "smallest": 2, "mean": 67.5, "largest": 255}
    assert document["notices"] == ["2 × 2 pixels: hardly an image"]


def make_trained(size_px: int) -> TrainedModel:
    return TrainedModel(
        model=nn.Sequential(nn.Flatten(), nn.Linear(3 * size_px**2, 2)).eval(),
        class_names=("cat", "dog"),
        image_shape=(3, size_px, size_px),
        normalization=NORMALIZATION,
        config=ExperimentConfig(),
        device=Device(torch.device("cpu"), "as requested"),
        precision=Precision(torch.float32, "as configured"),
        data_fingerprints={},
        epoch=1,
        val_accuracy=None,
    )


@pytest.mark.parametrize("size_px", [32, 24])
def test_it_shows_exactly_what_predict_gives_to_the_network(photo: Path, size_px: int) -> None:
    trained = make_trained(size_px)
    inputs = []
    trained.model.register_forward_pre_hook(lambda _, args: inputs.append(args[0][0]))
    (prediction,), _ = predict_files(trained, [photo])
    inspection = inspect_image(photo, trained.reading(), normalization=trained.normalization)
    assert torch.equal(inspection.seen_CHW, prediction.image_CHW)
    assert inspection.inputs_CHW is not None
    assert torch.equal(inspection.inputs_CHW, inputs[0])


def test_the_inputs_follow_the_formula_of_the_page(photo: Path) -> None:
    inspection = inspect_image(photo, normalization=NORMALIZATION)
    assert inspection.inputs_CHW is not None
    for channel, (mean, deviation) in enumerate(((0.5, 0.5), (0.25, 0.25), (0.1, 0.2))):
        expected_HW = (inspection.seen_CHW[channel].double() / 255 - mean) / deviation
        torch.testing.assert_close(
            inspection.inputs_CHW[channel].double(), expected_HW, rtol=1e-5, atol=1e-5
        )
    document = inspection.to_json(with_pixels=False)
    assert len(document["network"]["inputs"]) == 3


def test_the_channels_are_measured_each_by_itself() -> None:
    image_CHW = torch.tensor([[[1, 3]], [[5, 5]], [[0, 255]]], dtype=torch.uint8)
    assert [astuple(facts) for facts in measure_channels(image_CHW)] == [
        ("red", 1, 2, 3), ("green", 5, 5, 5), ("blue", 0, 127.5, 255)
    ]  # fmt: skip


def test_a_file_that_is_no_image_is_refused_as_predict_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DataError, match=r"text\.png"):
        inspect_image(tmp_path / "text.png")
