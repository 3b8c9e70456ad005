from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnn_train.data.image_set import ImageSet
from cnn_train.evaluation.class_spread import FeatureMoments, measure_spread
from cnn_train.inference.trained_model import TrainedModel, restore_trained_model
from cnn_train.machine.device import Device
from cnn_train.training.session import Session


def spread_of(features: list[list[float]], labels: list[int], num_classes: int = 2) -> Any:
    moments = FeatureMoments(num_classes)
    moments.add(torch.tensor(features), torch.tensor(labels))
    return moments.spread()


def test_the_spread_of_four_points_equals_a_case_worked_by_hand() -> None:
    """Class 0 at ±1 around 0, class 1 twice at 6; mean of all: 3, mean square of all: 9.5."""
    found = spread_of([[-1.0], [1.0], [6.0], [6.0]], [0, 0, 1, 1])
    assert found == pytest.approx([1 / 9.5, 0.0])


def test_points_of_two_classes_that_lie_alike_have_spread_one() -> None:
    assert spread_of([[0.0, 1.0], [2.0, 1.0]] * 2, [0, 0, 1, 1]) == pytest.approx([1.0, 1.0])


def test_a_class_without_images_and_images_without_differences_have_no_spread() -> None:
    assert spread_of([[1.0], [3.0]], [0, 0])[1] is None
    assert spread_of([[2.0], [2.0]], [0, 1]) == [None, None]


@pytest.fixture
def trained(start: Callable[..., Session], cpu: Device) -> TrainedModel:
    return restore_trained_model(start().checkpoint(), cpu, "test")


def test_features_are_what_the_last_layer_reads(
    trained: TrainedModel, make_images: Callable[..., ImageSet]
) -> None:
    images = make_images(30)
    inputs = trained.normalization(images.images_NCHW)
    body = nn.Sequential(*list(trained.model.children())[:-1])
    with torch.no_grad():
        features_ND = body(inputs).double()
    expected = []
    whole = (features_ND - features_ND.mean(0)).square().sum(1).mean()
    for label in range(3):
        own = features_ND[images.labels_N == label]
        expected.append(((own - own.mean(0)).square().sum(1).mean() / whole).item())
    assert measure_spread(trained, images) == pytest.approx(expected, rel=1e-4)
    assert measure_spread(trained, images, batch_size=7) == pytest.approx(expected, rel=1e-4)


def test_no_hook_is_left_behind(
    trained: TrainedModel, make_images: Callable[..., ImageSet]
) -> None:
    measure_spread(trained, make_images(5))
    assert not any(module._forward_pre_hooks for module in trained.model.modules())
