import pytest
import torch
from torch.nn import functional as F

from cnn_train.errors import UsageError
from cnn_train.lecture.backprop import make_network, work_through


@pytest.mark.parametrize("seed", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("label", [0, 1, 2])
def test_every_slope_is_that_of_torchs_backward_pass(seed: int | None, label: int) -> None:
    network = make_network(seed)
    worked = work_through(network, label)
    x, filters, bias, weights, biases = (t.clone().requires_grad_() for t in vars(network).values())
    z = F.conv2d(x[None, None], filters[None, None], bias[None])
    a = z.relu()
    scores = F.linear(a.flatten(1), weights, biases)
    z.retain_grad(), a.retain_grad(), scores.retain_grad()
    margins = (scores[0] - scores[0, label] + 1).clamp(min=0)
    keep = torch.arange(3) != label
    # at a kink, where torch's clamp takes the slope 1, the page takes 0, as for ReLU
    loss = (margins * (margins > 0))[keep].sum()
    loss.backward()
    pairs = {
        "z_HW": z, "a_HW": a, "scores_K": scores, "loss": loss,
        "d_scores_K": scores.grad, "d_weights_KD": weights.grad, "d_a_HW": a.grad,
        "d_z_HW": z.grad, "d_filter_HW": filters.grad, "d_bias": bias.grad, "d_image_HW": x.grad,
    }  # fmt: skip
    for name, expected in pairs.items():
        assert expected is not None
        found = getattr(worked, name)
        assert torch.equal(found, expected.detach().reshape(found.shape) + 0.0), name
    assert biases.grad is not None and torch.equal(worked.d_scores_K, biases.grad)


def test_the_example_equals_the_numbers_worked_by_hand() -> None:
    worked = work_through(make_network(), 2)
    assert worked.z_HW.tolist() == [[1, 2], [-1, 4]]
    assert worked.scores_K.tolist() == [9, 0, 5]
    assert worked.loss.item() == 9 - 5 + 1
    assert worked.d_scores_K.tolist() == [1, 0, -1]
    assert worked.d_a_HW.tolist() == [[2, -1], [-1, 1]]
    assert worked.d_z_HW.tolist() == [[2, -1], [0, 1]]  # nothing goes back where z is negative
    # 2 · (1 0 2 / 0 2 1 / 1 1 0) − (0 2 1 / 2 1 0 / 1 0 2) + (2 1 0 / 1 0 2 / 0 1 1)
    assert worked.d_filter_HW.tolist() == [[4, -1, 3], [-1, 3, 4], [1, 3, -1]]


def test_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="--label 3: choose a class from 0 to 2"):
        work_through(make_network(), 3)
