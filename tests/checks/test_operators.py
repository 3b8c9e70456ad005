import pytest
import torch
import torch.nn.functional as F

from cnn_train.checks.operators import GROUP_NAMES, group_of_name, measure_operators

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("aten::convolution_backward", "convolution backward"),
        ("aten::mkldnn_convolution", "convolution forward"),
        ("aten::cudnn_convolution", "convolution forward"),
        ("aten::slow_conv2d_forward", "convolution forward"),
        ("aten::native_batch_norm_backward", "normalisation"),
        ("aten::cudnn_batch_norm", "normalisation"),
        ("aten::relu_", "activation"),
        ("aten::threshold_backward", "activation"),
        ("aten::max_pool2d_with_indices_backward", "pooling"),
        ("aten::_adaptive_avg_pool2d", "pooling"),
        ("aten::addmm", "matrix product"),
        ("aten::mm", "matrix product"),
        ("aten::_to_copy", "copies, allocation"),
        ("aten::empty_strided", "copies, allocation"),
        ("aten::gather", "copies, allocation"),
        ("aten::argmax", "other"),
        ("aten::sum", "other"),
    ],
)
def test_an_operator_belongs_to_the_group_of_its_work(name: str, group: str) -> None:
    assert group in GROUP_NAMES
    assert group_of_name(name) == group


def test_operators_are_counted_and_sorted_by_their_own_time() -> None:
    square, vector = torch.ones(256, 256), torch.ones(3)

    def work() -> None:
        for _ in range(5):
            square @ square
        F.relu(vector)

    found = measure_operators(work, CPU)
    seconds = [one.seconds for one in found]
    assert seconds == sorted(seconds, reverse=True) and min(seconds) > 0
    calls = {one.name: one.calls for one in found}
    assert calls["aten::mm"] == 5 and calls["aten::relu"] == 1


def test_what_the_optimizer_calls_is_the_optimizers() -> None:
    """The very same operator outside of it is not."""
    weight = torch.ones(4, requires_grad=True)
    weight.grad = torch.ones(4)
    optimizer = torch.optim.SGD([weight], lr=0.1, foreach=False)

    def work() -> None:
        optimizer.step()
        torch.ones(4).add_(1)

    groups = {one.group for one in measure_operators(work, CPU) if one.name == "aten::add_"}
    assert groups == {"optimizer", "other"}
