from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from cnn_train.errors import UsageError
from cnn_train.lecture.minibatch_loss import MinibatchLoss
from cnn_train.lecture.slope import measure_slopes
from cnn_train.machine.device import Device
from cnn_train.training.session import Session

Start = Callable[..., Session]
L2 = {"kind": "l2", "strength": 0.1}

SECTIONS: list[dict[str, Any]] = [
    {},
    {"loss": {"name": "hinge"}, "regularization": L2},
    {"model": {"name": "resnet20"}, "regularization": L2},
    {"model": {"name": "mlp", "hidden_sizes": [8], "dropout": 0.5}},
]
on_every_config = pytest.mark.parametrize("sections", SECTIONS, ids=["mlp", "hinge", "bn", "drop"])


def test_it_is_the_loss_and_the_penalty_that_the_first_training_step_sees(start: Start) -> None:
    sections = SECTIONS[1]
    tally = next(start(**sections).train_rest_of_epoch())
    loss = MinibatchLoss(start(**sections))
    expected = (tally.loss_sum + tally.penalty_sum) / tally.num_examples
    assert loss(loss.point()) == pytest.approx(float(expected), rel=1e-6)


@on_every_config
def test_it_is_a_function_of_the_weights_alone(start: Start, sections: dict[str, Any]) -> None:
    loss = MinibatchLoss(start(**sections))
    point_P = loss.point()
    first = loss(point_P)
    assert loss(point_P + 0.01) != first
    assert loss(point_P) == first
    assert torch.equal(loss.point(), point_P)


@on_every_config
def test_its_steepest_directions_are_along_its_gradient(
    start: Start, sections: dict[str, Any]
) -> None:
    loss = MinibatchLoss(start(**sections))
    slopes = measure_slopes(
        loss, loss.gradient(), loss.point(),
        num_random=5, generator=torch.Generator().manual_seed(0), h=1e-6,
    )  # fmt: skip
    along, *others = slopes.directions
    assert all(other.numeric < along.numeric for other in others)
    assert slopes.largest_difference < 1e-4
    weights = start(**sections).model.parameters()
    assert slopes.num_parameters == sum(weight.numel() for weight in weights)


def test_a_device_without_float64_is_refused(start: Start) -> None:
    session = replace(start(), device=Device(torch.device("mps"), "pretended"))
    with pytest.raises(UsageError, match="use --device cpu"):
        MinibatchLoss(session)
