import pytest
import torch
from pydantic import ValidationError
from torch import nn

from cnn_train.losses.hinge import HingeConfig, hinge

# The lecture's worked example: scores of (cat, car, frog) for one image of each.
SCORES_BK = torch.tensor([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
LABELS_B = torch.tensor([0, 1, 2])


def test_hinge_equals_the_lectures_worked_example():
    torch.testing.assert_close(hinge(SCORES_BK, LABELS_B, "none"), torch.tensor([2.9, 0.0, 12.9]))
    assert hinge(SCORES_BK, LABELS_B).item() == pytest.approx(5.2667, abs=5e-5)


def test_a_met_margin_costs_exactly_nothing_and_pulls_on_nothing():
    scores_BK = SCORES_BK.clone().requires_grad_()
    losses_B = hinge(scores_BK, LABELS_B, "none")
    losses_B.sum().backward()
    assert losses_B[1] == 0
    assert scores_BK.grad.tolist() == [[-1, 1, 0], [0, 0, 0], [1, 1, -2]]


def test_squared_hinge_squares_each_violation_before_the_sum():
    losses_B = hinge(SCORES_BK, LABELS_B, "none", squared=True)
    torch.testing.assert_close(losses_B, torch.tensor([2.9**2, 0.0, 6.3**2 + 6.6**2]))


@pytest.mark.parametrize("num_classes", [2, 3, 10, 100])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("margin", [0.5, 1.0, 3.0])
def test_hinge_is_num_classes_times_torchs_multi_margin_loss(num_classes, squared, margin):
    generator = torch.Generator().manual_seed(num_classes)
    scores_BK = torch.randn(7, num_classes, generator=generator, dtype=torch.float64)
    labels_B = torch.randint(num_classes, (7,), generator=generator)
    torchs = nn.MultiMarginLoss(p=2 if squared else 1, margin=margin)(scores_BK, labels_B)
    ours = hinge(scores_BK, labels_B, margin=margin, squared=squared)
    torch.testing.assert_close(ours, num_classes * torchs)


def test_a_tiny_violation_is_not_lost_in_rounding():
    scores_BK = torch.tensor([[1.0, 1e-10]], dtype=torch.float64)
    assert hinge(scores_BK, torch.tensor([0])).item() == pytest.approx(1e-10, rel=1e-5)


@pytest.mark.parametrize("margin", [0.0, -1.0, float("nan"), float("inf"), "1"])
def test_a_margin_that_is_not_a_positive_number_is_refused(margin):
    with pytest.raises(ValidationError):
        HingeConfig(margin=margin)


def test_guessing_with_a_margin_whose_square_is_no_float_costs_infinitely_much() -> None:
    assert HingeConfig(margin=1e200, squared=True).chance_loss(10) == float("inf")
