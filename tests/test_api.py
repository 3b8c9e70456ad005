import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cnn_train
from cnn_train.api import as_indices, as_NCHW, fit, load_model, predict, train
from cnn_train.checkpoints.checkpoint import save_checkpoint
from cnn_train.checkpoints.exporting import export_weights
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import CheckpointError, CnnTrainError, ConfigError, DataError, UsageError
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


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    copy = array.copy()
    copy.setflags(write=False)
    return copy


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array[:, ::-1],
        lambda array: array[::-1, :, ::-2],
        lambda array: array[..., ::-1],
        lambda array: array.transpose(0, 2, 1, 3),
        np.asfortranarray,
        read_only,
        list,
        lambda array: tuple(map(torch.from_numpy, array)),
        lambda array: list(map(Image.fromarray, array)),
    ],
    ids=["reversed", "strided", "BGR", "turned", "Fortran", "read-only", "list", "tensors", "PIL"],
)
def test_an_array_in_any_memory_layout_means_its_pixels(view: Callable[..., Any]) -> None:
    array = np.random.default_rng(0).integers(0, 256, (4, 8, 6, 3), dtype=np.uint8)
    seen = np.array([np.asarray(image) for image in view(array)])  # NHWC, one by one
    expected = np.empty((len(seen), 3, *seen.shape[1:3]), dtype=np.uint8)
    for n, h, w, c in np.ndindex(*seen.shape):
        expected[n, c, h, w] = seen[n, h, w, c]
    images_NCHW = as_NCHW(view(array))
    assert images_NCHW.is_contiguous()
    assert np.array_equal(images_NCHW.numpy(), expected)


def test_a_view_trains_and_predicts_like_its_copy(images: torch.Tensor, labels: list[str]) -> None:
    array, settings = images.permute(0, 2, 3, 1).numpy(), TINY | {"epochs": 1}
    view, copy = array[:, ::-1], array[:, ::-1].copy()
    model = train(view, labels, **settings)
    assert same_weights(model, train(copy, labels, **settings))
    assert predict(model, view) == predict(model, copy)


def test_training_does_not_depend_on_whether_the_caller_records_gradients(
    images: torch.Tensor, labels: list[str]
) -> None:
    expected = train(images, labels, **TINY)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            model = train(images.clone(), labels, **TINY)
        assert same_weights(model, expected)


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
    with pytest.raises(ConfigError, match="the images are given; only val_fraction, split_seed"):
        train(images, labels, data={"name": "shapes"})
    for wrong in (None, "shapes", 3, ["shapes"]):
        with pytest.raises(ConfigError, match=r"train: data: .*; write {name: "):
            train(images, labels, data=wrong)


@pytest.mark.parametrize("device", [None, 0, "gpu"])
def test_a_device_that_is_none_is_refused_and_torchs_own_is_taken(
    images: torch.Tensor, labels: list[str], device: Any
) -> None:
    with pytest.raises(UsageError, match=f'^device="{device}": unknown'):
        train(images, labels, **TINY | {"device": device})
    model = train(images, labels, **TINY | {"epochs": 1, "device": torch.device("cpu")})
    assert model.device.torch_device == torch.device("cpu")


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
        np.zeros((4, 8, 8, 3), dtype=">u2"),
        np.zeros((4, 8, 8, 3), dtype=bool),
        np.zeros((4, 0, 8, 3), dtype=np.uint8),
        torch.zeros(4, 3, 8, 8, dtype=torch.uint8, device="meta"),
        torch.zeros(4, 3, 8, 8, dtype=torch.uint8).to_sparse(),
        torch.zeros(4, 3, 8, 8, requires_grad=True),
        [np.zeros((8, 8, 3), dtype=np.uint8), np.zeros((4, 8, 3), dtype=np.uint8)],
        [[[[0, 1, 2]]]],
        [],
        None,
        {},
        iter(()),
    ],
    ids=lambda wrong: f"{type(wrong).__name__} {getattr(wrong, 'dtype', '')}",
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


@pytest.mark.parametrize(
    "wrong",
    [
        ["a", 1] * 30,
        np.zeros((60, 1), dtype=int),
        [0.0, float("nan")] * 30,
        [frozenset("a"), frozenset("b")] * 30,
        [torch.tensor([0, 1])] * 60,
        torch.zeros(60, device="meta"),
        "ab" * 30,
        b"ab" * 30,
        dict.fromkeys(range(60)),
        set(range(60)),
        None,
        3,
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_labels_that_are_no_list_of_sortable_values_are_refused(
    images: torch.Tensor, wrong: Any
) -> None:
    with pytest.raises(DataError, match="labels must be N names or N numbers"):
        train(images, wrong, **TINY)


def test_an_unknown_setting_is_refused_by_name(images: torch.Tensor, labels: list[str]) -> None:
    with pytest.raises(ConfigError, match="train: epoch: unknown key; did you mean 'epochs'"):
        train(images, labels, epoch=3)


def test_images_of_another_shape_than_the_models_are_refused(
    images: torch.Tensor, labels: list[str]
) -> None:
    model = train(images, labels, **TINY | {"epochs": 1})
    with pytest.raises(DataError, match=r"images are \(3, 4, 4\) .* takes \(3, 8, 8\)"):
        predict(model, images[:, :, :4, :4])


def test_a_checkpoint_file_or_its_run_gives_a_model_that_predicts(
    start: Callable[..., Session], images: torch.Tensor, tmp_path: Path
) -> None:
    save_checkpoint(start().checkpoint(), tmp_path / "best.ckpt")
    model = load_model(str(tmp_path / "best.ckpt"), device="cpu")
    assert set(predict(model, images)) <= {"class 0", "class 1", "class 2"}
    assert same_weights(load_model(tmp_path, device="cpu"), model)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", "no checkpoint in it"),
        ("nowhere", "no such checkpoint"),
        (None, "None: no such checkpoint"),
        (3, "3: no such checkpoint"),
        (["runs"], r"\['runs'\]: no such checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_refused(
    path: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        load_model(path)


@pytest.fixture(scope="module")
def any_model() -> TrainedModel:
    array = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    return train(array, [i % 3 for i in range(60)], **TINY | {"epochs": 1})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("no.png", "no.png: no such file"),
        (["0.png", "text.png"], "text.png: is a text file"),
        (".", r"text.png: is a text file"),
        (["*.png", "0.png"], "text.png: is a text file"),
        (["[0-3].png"], r"\[0-3\].png: stands for others; name each image file itself"),
        (["~/0.png"], "~/0.png: stands for others"),
        (["0.png", np.zeros((8, 8, 3), dtype=np.uint8)], "images must be one array"),
        (Image.new("F", (8, 8)), "floating-point pixels have no agreed range"),
        (np.zeros((8, 8, 3), dtype=np.uint8), r"images\[None\] makes one of a single image"),
        (None, "images must be uint8"),
        ([], r"these are float64 of shape \(0,\)"),
        (b"0.png", "images must be uint8"),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_images_that_have_no_answer_are_refused_in_one_line(
    any_model: TrainedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Any,
    message: str,
) -> None:
    for i in range(4):
        Image.new("RGB", (20, 10)).save(tmp_path / f"{i}.png")
    (tmp_path / "text.png").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match=message) as caught:
        predict(any_model, wrong)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_no_model_or_gives_no_number_is_refused(
    images: torch.Tensor, labels: list[str]
) -> None:
    model = train(images, labels, **TINY | {"epochs": 1})
    for wrong in (None, "best.ckpt", model.model):
        with pytest.raises(UsageError, match="is no model; use train or load_model"):
            predict(wrong, images)  # type: ignore[arg-type]
    with torch.no_grad():
        next(model.model.parameters()).fill_(torch.nan)
    with pytest.raises(DataError, match="the model returned NaN scores"):
        predict(model, images)


def test_the_package_offers_its_functions_without_importing_torch() -> None:
    assert cnn_train.train is train
    with pytest.raises(AttributeError, match="has no attribute 'fly'"):
        _ = cnn_train.fly  # type: ignore[attr-defined]
    program = "import sys, cnn_train; print(cnn_train.__version__, 'torch' in sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert printed.split() == [cnn_train.__version__, "False"]


def test_each_turn_of_a_for_loop_trains_an_epoch_and_ending_it_is_enough(
    images: torch.Tensor, labels: list[str]
) -> None:
    training = fit(images, labels, **TINY | {"epochs": 9})
    with pytest.raises(UsageError, match="no epoch is trained yet"):
        _ = training.model
    seen = []
    for record in training:
        seen.append(record)
        if record["epoch"] == 1:
            break
    stopped = train(images, labels, **TINY | {"epochs": 9, "schedule": {"name": "constant"}})
    assert [record["epoch"] for record in seen] == [0, 1]
    assert training.history == seen == training.model.history
    assert training.model.epoch == record["best_epoch"] + 1
    assert len(stopped.history) == 9
    assert all(type(value) in (int, float) for record in seen for value in record.values())
    next(training)  # and it may go on
    assert len(training.history) == 3


def test_a_training_taken_epoch_by_epoch_is_the_one_at_once_whatever_is_drawn_in_between(
    images: torch.Tensor, labels: list[str]
) -> None:
    settings = TINY | {"model": {"name": "mlp", "hidden_sizes": [8], "dropout": 0.5}}
    torch.manual_seed(5)
    expected_draws = torch.rand(3)
    torch.manual_seed(5)
    training, draws = fit(images, labels, **settings), []
    for _ in training:
        draws.append(torch.rand(1))
        assert torch.is_grad_enabled()
    assert torch.equal(torch.cat(draws), expected_draws)
    assert same_weights(training.model, train(images, labels, **settings))


def test_validation_images_of_ones_own_choose_the_best_epoch_and_none_is_held_out(
    images: torch.Tensor, labels: list[str], make_images: Callable[..., ImageSet]
) -> None:
    val = make_images(9, seed=3)
    names = [labels[i] for i in range(9)]
    model = train(images, labels, validation=(val.images_NCHW, names), **TINY)
    assert len(model.training_images) == 60
    best = model.history[int(model.history[-1]["best_epoch"])]
    found = predict(model, val.images_NCHW)
    assert np.mean([a == b for a, b in zip(found, names, strict=True)]) == best["val_accuracy"]
    order = names[::-1], val.images_NCHW.flip(0)
    again = train(images, labels, validation=(order[1], order[0]), **TINY)
    assert [r["val_accuracy"] for r in again.history] == [r["val_accuracy"] for r in model.history]


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (3, "validation must be a pair"),
        ("ab", "validation must be a pair"),
        ((torch.zeros(2, 3, 8, 8, dtype=torch.uint8), ["cat"]), "2 validation images but 1 labels"),
        ((torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ["emu"]), "validation images of emu: no"),
        ((torch.zeros(1, 3, 9, 9, dtype=torch.uint8), ["cat"]), r"images \(3, 9, 9\)"),
    ],
)
def test_validation_images_that_do_not_fit_are_refused(
    images: torch.Tensor, labels: list[str], validation: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        train(images, labels, validation=validation, **TINY)


def test_a_saved_model_predicts_and_remembers_as_the_model_itself(
    images: torch.Tensor, labels: list[str], tmp_path: Path
) -> None:
    model = train(images, labels, **TINY)
    model.save(tmp_path / "my.ckpt")
    loaded = load_model(tmp_path / "my.ckpt", device="cpu")
    assert same_weights(model, loaded)
    assert predict(loaded, images) == predict(model, images)
    assert predict(loaded, images, probabilities=True) == predict(model, images, probabilities=True)
    assert loaded.history == model.history[: model.epoch]
    assert torch.equal(loaded.training_images, model.training_images)
    loaded.save(str(tmp_path / "again.ckpt"))
    assert same_weights(load_model(tmp_path / "again.ckpt", device="cpu"), model)
    for place in (tmp_path, tmp_path / "nowhere" / "my.ckpt"):
        with pytest.raises(CnnTrainError) as caught:
            model.save(place)
        assert len(str(caught.value).splitlines()) == 1


def test_probabilities_are_the_softmax_of_the_scores_by_label(
    images: torch.Tensor, labels: list[str], tmp_path: Path
) -> None:
    model = train(images, labels, **TINY)
    rows = predict(model, images, probabilities=True)
    assert all(list(row) == ["bird", "cat", "dog"] for row in rows)
    found = torch.tensor([list(row.values()) for row in rows])
    torch.testing.assert_close(found, model.scores(images).softmax(1), rtol=1e-5, atol=1e-7)
    assert [max(row, key=row.__getitem__) for row in rows] == predict(model, images)
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for image, path in zip(images, paths, strict=False):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    torch.testing.assert_close(
        torch.tensor([list(row.values()) for row in predict(model, paths, probabilities=True)]),
        found[:3],
    )
    hinge = train(images, labels, **TINY | {"epochs": 1, "loss": {"name": "hinge"}})
    with pytest.raises(UsageError, match="trained with hinge has scores, which are no prob"):
        predict(hinge, images, probabilities=True)


def test_a_training_may_start_from_a_model_or_its_file_with_a_head_for_other_labels(
    images: torch.Tensor, labels: list[str], tmp_path: Path
) -> None:
    first = train(images, labels, **TINY)
    first.save(tmp_path / "first.ckpt")
    still = TINY | {"epochs": 1, "optimizer": {"name": "sgd", "lr": 1e-9}}
    for given in (first, tmp_path / "first.ckpt", str(tmp_path / "first.ckpt")):
        same = train(images, labels, weights=given, **still)
        torch.testing.assert_close(same.scores(images), first.scores(images), rtol=0, atol=1e-4)
    two = [label == "cat" for label in labels]
    with pytest.raises(CheckpointError, match=r"of a wrong shape: .*; new_head=True leaves"):
        train(images, two, weights=first, **still)
    frozen = TINY | {"fine_tuning": {"freeze": ["body"]}}
    tuned = train(images, two, weights=first, new_head=True, **frozen)
    assert set(predict(tuned, images)) <= {True, False}
    before, after = first.model.state_dict(), tuned.model.state_dict()
    kept = [torch.equal(before[name], after[name]) for name in before if len(before[name]) != 3]
    assert kept and all(kept)
    with pytest.raises(UsageError, match="new_head goes with weights"):
        train(images, two, new_head=True, **TINY)
    with pytest.warns(UserWarning, match="stays as it was drawn"):
        train(images, two, **frozen)


def test_a_file_may_say_the_network_and_what_is_no_model_is_refused(
    images: torch.Tensor, labels: list[str], tmp_path: Path
) -> None:
    first = train(images, labels, **TINY)
    export_weights(first.checkpoint(), tmp_path / "first.safetensors")
    still = {name: TINY[name] for name in ("batch_size", "device", "precision")} | {"epochs": 1}
    still["optimizer"] = {"name": "sgd", "lr": 1e-9}
    same = train(images, labels, weights=tmp_path / "first.safetensors", **still)
    torch.testing.assert_close(same.scores(images), first.scores(images), rtol=0, atol=1e-4)
    with pytest.raises(UsageError, match="weights: MLP is no model, run or file"):
        train(images, labels, weights=first.model, **still)
    exported = replace(first, takes_levels=True)
    for use in (lambda: exported.save(tmp_path / "x.ckpt"), lambda: fit([], [], weights=exported)):
        with pytest.raises(UsageError, match="load the checkpoint that it was exported from"):
            use()
    assert not (tmp_path / "x.ckpt").exists()


def test_balanced_sampling_shows_a_rare_class_as_often_as_the_others(images: torch.Tensor) -> None:
    labels = ["cat"] * 50 + ["dog"] * 10
    settings = TINY | {"data": {"sampling": "balanced"}, "epochs": 20}
    settings["optimizer"] = {"name": "sgd", "lr": 0.02}
    balanced = predict(train(images, labels, **settings), images).count("dog")
    natural = predict(train(images, labels, **settings | {"data": {}}), images).count("dog")
    assert balanced > natural + 5
