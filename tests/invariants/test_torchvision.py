"""Every torchvision network that a config may name trains, comes back and goes on."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models

from cnn_train.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cnn_train.checkpoints.importing import import_weights
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import load_trained_model, restore_trained_model
from cnn_train.machine.device import Device
from cnn_train.models.torchvision_models import NOT_ADAPTABLE, TorchvisionConfig
from cnn_train.training.building import build_session
from cnn_train.training.fine_tuning import start_from_weights
from cnn_train.training.fit import fit
from cnn_train.training.resuming import resume_session
from cnn_train.training.session import Session

SHAPE = (3, 32, 32)
SMALL = {"mobilenet_v3_small", "squeezenet1_1"}
MEDIUM = {
    "efficientnet_b0", "googlenet", "mnasnet0_5", "mobilenet_v2", "regnet_x_400mf",
    "shufflenet_v2_x0_5",
}  # fmt: skip
MOST_PARAMETERS = 30_000_000  # larger ones are these families again, with more of the same layers
ON_REQUEST = pytest.mark.skipif(
    "CNN_TRAIN_EVERY_NETWORK" not in os.environ, reason="CNN_TRAIN_EVERY_NETWORK=1 tries it"
)


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    if name in SMALL:
        return []
    return [pytest.mark.slow] if name in MEDIUM else [pytest.mark.slow, ON_REQUEST]


NAMES = [
    pytest.param(name, marks=marks_of(name))
    for name in models.list_models(module=models)
    if not name.startswith(tuple(NOT_ADAPTABLE))  # refused by the config, in one line
]


def skip_large(name: str) -> None:
    with torch.device("meta"):
        model = TorchvisionConfig(architecture=name).build(3, SHAPE)
    number = sum(parameter.numel() for parameter in model.parameters())
    if number > MOST_PARAMETERS:
        pytest.skip(f"{name} has {number:,} parameters, more than {MOST_PARAMETERS:,}")


@pytest.mark.parametrize("name", NAMES)
def test_a_torchvision_network_trains_comes_back_goes_on_and_is_imported(
    name: str,
    make_images: Callable[..., ImageSet],
    make_config: Callable[..., ExperimentConfig],
    cpu: Device,
    tmp_path: Path,
) -> None:
    skip_large(name)
    images, path = make_images(6, shape=SHAPE), tmp_path / "last.ckpt"
    sections: dict[str, Any] = {
        "model": {"name": "torchvision", "architecture": name, "stem": "small"},
        "optimizer": {"name": "sgd", "lr": 1e-4},  # small: some have no batch norm
    }
    config = make_config(**sections)

    def start() -> Session:
        return build_session(config, images, images, cpu)

    session = start()
    epochs = fit(session)
    next(epochs)
    checkpoint = session.checkpoint()
    save_checkpoint(checkpoint, path)
    scores_NK = scores_of(session, images)
    assert torch.equal(load_trained_model(path, "cpu").scores(images.images_NCHW), scores_NK)

    older = replace(checkpoint, model=dict(checkpoint.model))  # without versions of the layers
    restored = restore_trained_model(older, cpu, "older.ckpt")
    assert torch.equal(restored.scores(images.images_NCHW), scores_NK)

    fresh = start()
    start_from_weights(fresh, load_checkpoint(path))
    assert torch.equal(scores_of(fresh, images), scores_NK)

    torch.save(session.model.state_dict(), tmp_path / "net.pth")
    imported = import_weights(
        tmp_path / "net.pth",
        make_config(**sections, data={"name": "folder", "root": "nowhere", "image_size": 32}),
        class_names=images.class_names,
        normalization=Normalization.of(images.images_NCHW),
    )
    save_checkpoint(imported.checkpoint, tmp_path / "imported.ckpt")
    again = load_trained_model(tmp_path / "imported.ckpt", "cpu")
    assert torch.equal(again.scores(images.images_NCHW), scores_NK)

    resumed = start()
    resume_session(resumed, load_checkpoint(path))
    next(epochs)
    next(fit(resumed))
    ours, theirs = session.model.state_dict(), resumed.model.state_dict()
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


def scores_of(session: Session, images: ImageSet) -> torch.Tensor:
    """Score the images with the session's own network, without any file."""
    session.model.eval()
    with torch.no_grad():
        return session.model(session.batches.normalization(images.images_NCHW))
