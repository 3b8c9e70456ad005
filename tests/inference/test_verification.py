import csv
import io
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import CheckpointError, DataError
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import TrainedModel, restore_trained_model
from cnn_train.inference.verification import Agreement, verify_scores
from cnn_train.machine.device import Device
from cnn_train.models.densenet import DenseLayer
from cnn_train.training.building import build_session
from cnn_train.training.session import Session


@pytest.fixture
def trained(start: Callable[..., Session], cpu: Device) -> TrainedModel:
    """A tiny network of three classes; 8×8 images."""
    return restore_trained_model(start().checkpoint(), cpu, "test")


@pytest.fixture
def images_NCHW(make_images: Callable[..., ImageSet]) -> Tensor:  # noqa: N802  (shape letters)
    return make_images(6).images_NCHW


def computed_elsewhere(trained: TrainedModel, images_NCHW: Tensor) -> np.ndarray:
    """Compute the scores in float64 as the other program would, by the layers' own weights."""
    layers = [part for part in trained.model.modules() if isinstance(part, nn.Linear)]
    mean, std = (torch.tensor(x)[:, None, None] for x in vars(trained.normalization).values())
    x = ((images_NCHW.double() / 255 - mean) / std).flatten(1)
    for index, layer in enumerate(layers):
        x = x @ layer.weight.detach().double().T + layer.bias.detach().double()
        x = x.clamp(min=0) if index < len(layers) - 1 else x
    return x.numpy()


def write(folder: Path, suffix: str, images_NCHW: Tensor, scores_NK: np.ndarray) -> Path:
    """Write the scores as users do: images beside them, or the paths of files."""
    path, images_NHWC = folder / f"scores.{suffix}", images_NCHW.permute(0, 2, 3, 1).numpy()
    names = [f"{i}.png" for i in range(len(scores_NK))]
    for name, pixels in zip(names, images_NHWC, strict=True):
        Image.fromarray(pixels).save(folder / name)
    if suffix == "npz":
        np.savez(path, images=images_NHWC, scores=scores_NK)
    elif suffix == "json":
        parts = {"images": images_NCHW.tolist(), "scores": scores_NK.tolist()}
        path.write_text(json.dumps(parts))
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(
                [name, *row] for name, row in zip(names, scores_NK.tolist(), strict=True)
            )
    return path


@pytest.mark.parametrize("suffix", ["npz", "json", "csv"])
def test_scores_of_the_same_network_agree_and_those_of_another_do_not(
    trained: TrainedModel, images_NCHW: Tensor, tmp_path: Path, suffix: str
) -> None:
    scores_NK = computed_elsewhere(trained, images_NCHW)
    found = verify_scores(trained, write(tmp_path, suffix, images_NCHW, scores_NK))
    assert (found["num_images"], found["same_class"]) == (6, 6)
    assert found["largest_difference"] < 1e-5
    assert found["largest_score"] == pytest.approx(np.abs(scores_NK).max())
    scores_NK[3, 1] += 0.01 * np.abs(scores_NK).max()
    with pytest.raises(CheckpointError, match="gives other scores") as refused:
        verify_scores(trained, write(tmp_path, suffix, images_NCHW, scores_NK))
    assert "of 6 images" in str(refused.value)


def concatenate_new_maps_first(network: nn.Module) -> None:
    """As another well-known DenseNet does it."""
    for layer in network.modules():
        if isinstance(layer, DenseLayer):
            layer.register_forward_hook(
                lambda layer, inputs, maps: torch.cat(
                    maps.split([inputs[0].shape[1], maps.shape[1] - inputs[0].shape[1]], 1)[::-1], 1
                )
            )


def keep_pooling(network: nn.Module) -> None:
    network.maxpool = nn.MaxPool2d(3, 2, padding=1)


def stride_once_more(network: nn.Module) -> None:
    network.conv1[0].stride = (2, 2)


SHUFFLENET = {"name": "torchvision", "architecture": "shufflenet_v2_x0_5", "stem": "small"}


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ({"name": "densenet121", "growth": 4}, concatenate_new_maps_first),
        (SHUFFLENET, keep_pooling),
        (SHUFFLENET, stride_once_more),
    ],
)
def test_what_stands_in_no_state_dict_is_told_apart_by_scores(
    make_config: Callable[..., ExperimentConfig],
    make_images: Callable[..., ImageSet],
    cpu: Device,
    tmp_path: Path,
    model: dict[str, object],
    change: Callable[[nn.Module], None],
) -> None:
    """The other network has every name and shape of ours, and loads without a complaint."""
    images = make_images(6, shape=(3, 32, 32))
    session = build_session(make_config(model=model), images, images, cpu)
    session.model(session.batches.normalization(images.images_NCHW))  # batch norm's statistics
    trained = restore_trained_model(session.checkpoint(), cpu, "test")
    foreign = deepcopy(trained.model)
    for changes in (lambda network: None, change):
        changes(foreign)
        with torch.no_grad():
            scores_NK = foreign(trained.normalization(images.images_NCHW)).numpy()
        path = write(tmp_path, "npz", images.images_NCHW, scores_NK)
        if changes is change:
            with pytest.raises(CheckpointError, match="gives other scores"):
                verify_scores(trained, path)
        else:
            verify_scores(trained, path)


def packed_zeros(number: int) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, scores=np.zeros(number, np.uint8))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none.npz", None, "no file of scores"),
        ("a.npz", b"PK\x03\x04", "no file of scores"),
        ("a.npz", b"", "no file of scores"),
        ("a.json", b"[1]", "no file of scores"),
        ("a.json", b'{"scores": [[1, 2, 3]]}', "'paths'"),
        ("a.json", b'{"scores": [[1, 2, 3]], "images": 7}', "no file of scores"),
        ("a.json", b'{"scores": [[1, 2, 3]], "images": [[[0.5]]]}', "images are not numbers"),
        ("a.json", b'{"scores": [], "paths": []}', "no file of scores"),
        ("a.csv", b"path,cat,dog,owl\n", "could not convert"),
        ("a.csv", b"none.png,1,2,3\n", "none.png: no such file"),
        ("a.csv", b"", "no file of scores"),
        ("a.csv", b"a,1,1,1\n" * 300_000, "more than 50 MB of images"),
        ("a.csv", b"a," + b"1" * 200_000, "field limit"),
        ("a.csv", bytes(2_500_001), "larger than 2.5 MB"),
        ("a.json", b"[" * 100_000, "recursion"),
        ("a.npz", packed_zeros(60_000_000), "more than 50 MB when unpacked"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_that_is_of_no_use_is_named_in_one_line(
    trained: TrainedModel, tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as refused:
        verify_scores(trained, tmp_path / name)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("change", [lambda s: s[:, :2], lambda s: s[:4], lambda s: s * np.nan])
def test_scores_of_another_shape_or_without_value_are_refused(
    trained: TrainedModel,
    images_NCHW: Tensor,
    tmp_path: Path,
    change: Callable[[np.ndarray], np.ndarray],
) -> None:
    path = tmp_path / "scores.npz"
    scores_NK = change(computed_elsewhere(trained, images_NCHW))
    np.savez(path, images=images_NCHW.numpy(), scores=scores_NK)
    with pytest.raises(DataError, match="scores are not 6 × 3 finite numbers"):
        verify_scores(trained, path)


def agreement(reference: list[list[float]], scores: list[list[float]]) -> Agreement:
    return Agreement.of(torch.tensor(reference), torch.tensor(scores))


def test_scores_that_are_equal_agree() -> None:
    found = agreement([[1.0, -4.0], [0.0, 2.0]], [[1.0, -4.0], [0.0, 2.0]])
    assert found == Agreement(2, 0.0, 4.0, 2, 0)
    assert found.is_same


def test_another_class_within_the_tolerance_is_no_agreement() -> None:
    found = agreement([[1.0, 0.9995], [0.0, 1.0]], [[0.9994, 0.9995], [0.0, 1.0]])
    assert (found.same_class, found.num_ties) == (1, 0)
    assert found.is_close
    assert not found.is_same


def test_another_class_of_a_tie_is_agreement() -> None:
    found = agreement([[1.0, 0.999999], [0.0, 1.0]], [[0.999999, 1.0], [0.0, 1.0]])
    assert (found.same_class, found.num_ties) == (1, 1)
    assert found.is_same


@pytest.mark.parametrize("score", [1.0011, float("nan"), float("inf")])
def test_scores_beyond_the_tolerance_do_not_agree(score: float) -> None:
    assert not agreement([[1.0, 0.0]], [[score, 0.0]]).is_close


def test_scores_of_zero_agree_with_themselves_alone() -> None:
    assert agreement([[0.0, 0.0]], [[0.0, 0.0]]).is_same
    assert not agreement([[0.0, 0.0]], [[1e-9, 0.0]]).is_close


def test_of_one_class_there_is_no_other() -> None:
    assert agreement([[1.0]], [[1.0]]).is_same
