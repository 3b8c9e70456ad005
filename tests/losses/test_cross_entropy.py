import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from cnn_train.losses.cross_entropy import CrossEntropyConfig, cross_entropy

# The lecture's worked example: scores of (cat, car, frog) for one image of each.
SCORES_BK = torch.tensor([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
LABELS_B = torch.tensor([0, 1, 2])


def test_cross_entropy_equals_the_lectures_worked_example():
    losses_B = cross_entropy(SCORES_BK, LABELS_B, "none")
    expected_B = torch.tensor([2.0404, 0.0791, 6.1565])
    torch.testing.assert_close(losses_B, expected_B, atol=5e-5, rtol=0)
    assert cross_entropy(SCORES_BK, LABELS_B).item() == pytest.approx(2.7587, abs=5e-5)


def test_it_is_minus_the_log_of_the_right_classs_share():
    scores_BK = SCORES_BK.double()
    shares_B = scores_BK.exp()[range(3), LABELS_B] / scores_BK.exp().sum(1)
    torch.testing.assert_close(cross_entropy(scores_BK, LABELS_B, "none"), -shares_B.log())


def test_smoothing_is_cross_entropy_against_the_smoothed_target():
    scores_BK = SCORES_BK.double()
    target_BK = 0.8 * F.one_hot(LABELS_B, 3) + 0.2 / 3
    expected_B = -(target_BK * F.log_softmax(scores_BK, 1)).sum(1)
    losses_B = cross_entropy(scores_BK, LABELS_B, "none", label_smoothing=0.2)
    torch.testing.assert_close(losses_B, expected_B)


def test_huge_scores_do_not_overflow():
    scores_BK = torch.tensor([[1e4, 0.0], [0.0, 1e4]])
    assert cross_entropy(scores_BK, torch.tensor([0, 0]), "none").tolist() == [0.0, 1e4]


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.0, float("nan"), "0.1"])
def test_a_smoothing_outside_0_to_1_is_refused(label_smoothing):
    with pytest.raises(ValidationError):
        CrossEntropyConfig(label_smoothing=label_smoothing)
