"""Networks under exploration, with a few images of noise, and a short run with its states."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.experiment import ExperimentConfig
from cnn_train.explore.checkpoints import Choice, OpenCheckpoints
from cnn_train.explore.explorer import Explorer
from cnn_train.explore.question import pack_pixels
from cnn_train.inference.trained_model import TrainedModel
from cnn_train.machine.device import Device, Precision
from cnn_train.visualize.request import Subjects

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def images(make_images: Callable[..., ImageSet]) -> ImageSet:
    return make_images(12, shape=(3, 32, 32))


@pytest.fixture
def explore(images: ImageSet, cpu: Device) -> Callable[..., Explorer]:
    """Return a function that opens a network of three classes for exploration."""

    def start(model: nn.Module, precision: str = "float32", **sections: Any) -> Explorer:
        sections = {"model": {"name": "linear"}, **sections}
        trained = TrainedModel(
            model=model.eval(),
            class_names=images.class_names,
            image_shape=images.image_shape,
            normalization=Normalization.of(images.images_NCHW),
            config=ExperimentConfig.model_validate(sections),
            device=cpu,
            precision=Precision(getattr(torch, precision), "as configured"),
            data_fingerprints={},
            epoch=1,
            val_accuracy=None,
        )
        only = Choice("file", "model.ckpt, epoch 1", Path("model.ckpt"), 10, 1)
        checkpoints = OpenCheckpoints([only], "file", trained, Subjects.of(images))
        return Explorer("a model", checkpoints, images)

    return start


@pytest.fixture
def ask(images: ImageSet) -> Ask:
    """Return a function that asks about an image of the set, by default the first one."""

    def answer(explorer: Explorer, what: str, image: int = 0, **asked: Any) -> dict[str, Any]:
        pixels = pack_pixels(images.images_NCHW[image])
        return explorer.answering(what)({"pixels": pixels, **asked})

    return answer


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Use one thread: thin networks only lose time to more."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)
