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
    x, filters, bias, weights, biases = (t.clone().requires_grad_() for t in network.values())
    z = F.conv2d(x[None, None], filters[None, None], bias[0])
    a = z.relu()
    scores = F.linear(a.flatten(1), weights, biases[:, 0])
    z.retain_grad(), a.retain_grad(), scores.retain_grad()
    margins = (scores[0] - scores[0, label] + 1).clamp(min=0)
    keep = torch.arange(3) != label
    # at a kink, where torch's clamp takes the slope 1, the page takes 0, as for ReLU
    loss = (margins * (margins > 0))[keep].sum()
    loss.backward()
    pairs = {
        "z": z, "a": a, "s": scores, "L": loss, "∂L/∂s": scores.grad, "∂L/∂W": weights.grad,
        "∂L/∂c": biases.grad, "∂L/∂a": a.grad, "∂L/∂z": z.grad, "∂L/∂F": filters.grad,
        "∂L/∂b": bias.grad, "∂L/∂x": x.grad,
    }  # fmt: skip
    assert pairs.keys() | network.keys() == worked.keys()
    for name, expected in pairs.items():
        assert expected is not None
        found = worked[name]
        assert torch.equal(found, expected.detach().reshape(found.shape) + 0.0), name


def test_the_example_equals_the_numbers_worked_by_hand() -> None:
    worked = work_through(make_network(), 2)
    assert worked["z"].tolist() == [[1, 2], [-1, 4]]
    assert worked["s"].flatten().tolist() == [9, 0, 5]
    assert worked["L"].item() == 9 - 5 + 1
    assert worked["∂L/∂s"].flatten().tolist() == [1, 0, -1]
    assert worked["∂L/∂a"].tolist() == [[2, -1], [-1, 1]]
    assert worked["∂L/∂z"].tolist() == [[2, -1], [0, 1]]  # nothing goes back where z is negative
    # 2 · (1 0 2 / 0 2 1 / 1 1 0) − (0 2 1 / 2 1 0 / 1 0 2) + (2 1 0 / 1 0 2 / 0 1 1)
    assert worked["∂L/∂F"].tolist() == [[4, -1, 3], [-1, 3, 4], [1, 3, -1]]


def test_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="--label 3: choose a class from 0 to 2"):
        work_through(make_network(), 3)
