import pytest
import torch
import torch.nn.functional as F

from cnn_train.acceleration.winograd import WinogradConvolution
from cnn_train.checks.operators import GROUP_NAMES, group_of_name, measure_operators

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("convolution backward", ["convolution_backward"]),
        ("convolution forward", ["mkldnn_convolution", "cudnn_convolution", "slow_conv2d_forward"]),
        ("normalisation", ["native_batch_norm_backward", "cudnn_batch_norm"]),
        ("activation", ["relu_", "threshold_backward"]),
        ("pooling", ["max_pool2d_with_indices_backward", "_adaptive_avg_pool2d"]),
        ("matrix product", ["addmm", "mm"]),
        ("copies, allocation", ["_to_copy", "empty_strided", "gather"]),
        ("other", ["argmax", "sum"]),
    ],
)
def test_an_operator_belongs_to_the_group_of_its_work(group: str, names: list[str]) -> None:
    assert group in GROUP_NAMES
    assert {group_of_name(f"aten::{name}") for name in names} == {group}


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


def test_what_our_own_convolutions_call_counts_as_convolution() -> None:
    x, weight = torch.ones(1, 2, 4, 4), torch.ones(2, 2, 3, 3, requires_grad=True)

    def work() -> None:
        WinogradConvolution.apply(x, weight).sum().backward()

    found = {(one.name, one.group) for one in measure_operators(work, torch.device("cpu"))}
    assert ("aten::bmm", "convolution forward") in found
    assert ("aten::baddbmm_", "convolution backward") in found
    assert not any(group == "matrix product" for _, group in found)
