import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cnn_train
from cnn_train.api import as_indices, as_NCHW, load_model, predict, train
from cnn_train.checkpoints.checkpoint import save_checkpoint
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import ConfigError, DataError
from cnn_train.inference.trained_model import TrainedModel
from cnn_train.training.session import Session

TINY: dict[str, Any] = {
    "model": {"name": "mlp", "hidden_sizes": [8]},
    "optimizer": {"name": "sgd", "lr": 0.05},
    "batch_size": 10,
    "epochs": 3,
    "device": "cpu",
    "precision": "float32",
}
ANIMALS = ("cat", "dog", "bird")


@pytest.fixture
def images(make_images: Callable[..., ImageSet]) -> torch.Tensor:
    return make_images(60).images_NCHW


@pytest.fixture
def labels() -> list[str]:
    return [ANIMALS[i % 3] for i in range(60)]


def same_weights(first: TrainedModel, second: TrainedModel) -> bool:
    states = (model.model.state_dict().values() for model in (first, second))
    return all(map(torch.equal, *states))


def test_what_was_learned_is_predicted(images: torch.Tensor, labels: list[str]) -> None:
    model = train(images, labels, **TINY | {"epochs": 10})
    predicted = predict(model, images)
    assert len(predicted) == 60
    assert set(predicted) <= set(ANIMALS)
    assert np.mean([found == label for found, label in zip(predicted, labels, strict=True)]) > 0.6
    assert model.class_names == ("bird", "cat", "dog")


@pytest.mark.parametrize(
    "relayout",
    [
        lambda images: images.permute(0, 2, 3, 1),
        lambda images: images.numpy(),
        lambda images: np.ascontiguousarray(images.numpy().transpose(0, 2, 3, 1)),
        lambda images: images.contiguous(memory_format=torch.channels_last),
    ],
    ids=["NHWC tensor", "NCHW array", "NHWC array", "channels_last tensor"],
)
def test_every_layout_of_the_same_images_gives_the_same_model(
    images: torch.Tensor, labels: list[str], relayout: Callable[[torch.Tensor], Any]
) -> None:
    settings = TINY | {"epochs": 1}
    assert same_weights(
        train(relayout(images), labels, **settings), train(images, labels, **settings)
    )


@pytest.mark.parametrize(
    "form", [list, np.array, torch.tensor, tuple], ids=["list", "array", "tensor", "tuple"]
)
def test_labels_may_be_a_list_an_array_or_a_tensor(form: Callable[[list[int]], Any]) -> None:
    classes, labels_N = as_indices(form([7, 3, 7, 10]))
    assert classes == (3, 7, 10)  # numbers sort as numbers
    assert labels_N.tolist() == [1, 0, 1, 2]


def test_predictions_are_labels_of_the_kind_that_was_given(images: torch.Tensor) -> None:
    model = train(images, [i % 3 + 1 for i in range(60)], **TINY | {"epochs": 1})
    assert set(predict(model, images)) <= {1, 2, 3}
    assert model.class_names == ("1", "2", "3")


def test_the_callers_random_numbers_go_on_as_if_nothing_had_been_trained(
    images: torch.Tensor, labels: list[str]
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(images, labels, **TINY | {"epochs": 1})
    assert torch.equal(torch.rand(3), expected)


def test_the_model_is_that_of_the_best_epoch(
    images: torch.Tensor, labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnn_train.training.progress.merit", lambda record, by: -record["epoch"])
    assert train(images, labels, **TINY | {"epochs": 3}).epoch == 1


def test_data_settings_that_mean_nothing_here_are_refused(
    images: torch.Tensor, labels: list[str]
) -> None:
    with pytest.raises(ConfigError, match="the images are given; only data"):
        train(images, labels, data={"name": "shapes"})


def test_settings_without_effect_warn(images: torch.Tensor, labels: list[str]) -> None:
    with pytest.warns(UserWarning, match="never leaves warm-up"):
        train(images, labels, **TINY | {"epochs": 1, "schedule": {"warmup_epochs": 3}})


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(4, 3, 8, 8),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
        torch.zeros(0, 3, 8, 8, dtype=torch.uint8),
        torch.zeros(4, 2, 8, 8, dtype=torch.uint8),
        np.zeros((4, 8, 8, 4), dtype=np.uint8),
        np.zeros((4, 8, 8, 3), dtype=np.int64),
    ],
    ids=["float", "no batch", "no images", "two channels", "RGBA", "int64"],
)
def test_images_of_another_kind_are_refused_with_their_shape(wrong: Any) -> None:
    with pytest.raises(DataError, match=r"images must .*\("):
        as_NCHW(wrong)


def test_a_number_of_labels_that_is_not_that_of_the_images_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(DataError, match="60 images but 2 labels"):
        train(images, [0, 1], **TINY)


def test_labels_of_a_single_class_or_of_a_lone_example_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(DataError, match="at least two classes"):
        train(images, [0] * 60, **TINY)
    with pytest.raises(DataError, match="cannot hold out validation images"):
        train(images, [0] * 59 + [1], **TINY)


def test_labels_that_cannot_be_sorted_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(DataError, match="labels must be N names or N numbers"):
        train(images, ["a", 1] * 30, **TINY)
    with pytest.raises(DataError, match="labels must be N names or N numbers"):
        train(images, np.zeros((60, 1), dtype=int), **TINY)


def test_an_unknown_setting_is_refused_by_name(images: torch.Tensor, labels: list[str]) -> None:
    with pytest.raises(ConfigError, match="train: epoch: unknown key; did you mean 'epochs'"):
        train(images, labels, epoch=3)


def test_images_of_another_shape_than_the_models_are_refused(
    images: torch.Tensor, labels: list[str]
) -> None:
    model = train(images, labels, **TINY | {"epochs": 1})
    with pytest.raises(DataError, match=r"images are \(3, 4, 4\) .* trained on \(3, 8, 8\)"):
        predict(model, images[:, :, :4, :4])


def test_a_checkpoint_file_gives_a_model_that_predicts(
    start: Callable[..., Session], images: torch.Tensor, tmp_path: Path
) -> None:
    save_checkpoint(start().checkpoint(), tmp_path / "best.ckpt")
    model = load_model(str(tmp_path / "best.ckpt"), device="cpu")
    assert set(predict(model, images)) <= {"class 0", "class 1", "class 2"}


def test_the_package_offers_its_functions_without_importing_torch() -> None:
    assert cnn_train.train is train
    with pytest.raises(AttributeError, match="has no attribute 'fly'"):
        _ = cnn_train.fly  # type: ignore[attr-defined]
    program = "import sys, cnn_train; print(cnn_train.__version__, 'torch' in sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert printed.split() == [cnn_train.__version__, "False"]
