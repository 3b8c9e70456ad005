"""Models ready to be looked at: any network of the zoo with twelve images of noise."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import TrainedModel
from cnn_train.machine.device import Device, Precision
from cnn_train.visualize.request import Request, Subjects

MakeRequest = Callable[..., Request]


@pytest.fixture
def make_request(cpu: Device, make_images: Callable[..., ImageSet]) -> MakeRequest:
    """Wrap a network and images of its size; keyword arguments are the user's choices."""

    def make(
        model: nn.Module,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        num_images: int = 12,
        subjects: Subjects | None = None,
        **choices: Any,
    ) -> Request:
        images = make_images(num_images, shape=image_shape)
        trained = TrainedModel(
            model=model.eval(),
            class_names=images.class_names,
            image_shape=image_shape,
            normalization=Normalization.of(images.images_NCHW),
            config=ExperimentConfig.model_validate({"model": {"name": "linear"}}),
            device=cpu,
            precision=Precision(torch.float32, "as configured"),
            data_fingerprints={},
            epoch=1,
            val_accuracy=None,
        )
        return Request(trained, subjects or Subjects.of(images), **choices)

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Use one thread: thin networks only lose time to more."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)
