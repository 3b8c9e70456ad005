import math

import pytest
import torch
from torch import Tensor

import cnn_train.training.update_guard as divergence
from cnn_train.training.update_guard import NotFiniteError, UpdateGuard, gradient_norm

CPU = torch.device("cpu")


@pytest.fixture
def parameters() -> list[Tensor]:
    """Two parameters whose gradients 3 and (0, 4) have the norm 5, and one without a gradient."""
    gradients = (torch.tensor([3.0]), torch.tensor([[0.0], [4.0]]), None)
    parameters = [torch.zeros(shape, requires_grad=True) for shape in ((1,), (2, 1), (7,))]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return parameters


def test_the_norm_is_that_of_all_gradients_together(parameters: list[Tensor]) -> None:
    assert gradient_norm(parameters, 0.0) == 5.0
    assert parameters[0].grad == 3.0


@pytest.mark.parametrize(("longest", "factor"), [(1.0, 0.2), (2.5, 0.5), (5.1, 1.0), (0.0, 1.0)])
def test_a_long_gradient_is_shortened_without_turning(
    parameters: list[Tensor], longest: float, factor: float
) -> None:
    assert gradient_norm(parameters, longest) == 5.0  # as it was before
    found = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    torch.testing.assert_close(found, factor * torch.tensor([3.0, 0.0, 4.0]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_gradient_or_a_loss_that_is_not_finite_is_told_apart(
    parameters: list[Tensor], value: float
) -> None:
    guard = UpdateGuard(parameters, 0.0, CPU)
    guard(torch.tensor(1.0))
    with pytest.raises(NotFiniteError, match="training loss") as caught:
        guard(torch.tensor(value))
    assert (caught.value.gradient_norm, caught.value.updates_ago) == (5.0, 0)
    parameters[0].grad.fill_(value)
    with pytest.raises(NotFiniteError, match="the gradient"):
        guard(torch.tensor(1.0))


def test_of_several_processes_each_judges_what_they_share(parameters: list[Tensor]) -> None:
    guard = UpdateGuard(parameters, 0.0, CPU, alone=False)
    guard(torch.tensor(math.nan))
    parameters[0].grad.fill_(math.nan)
    with pytest.raises(NotFiniteError, match="the gradient"):
        guard(torch.tensor(1.0))


def test_a_gpus_answer_is_read_a_few_updates_late(
    parameters: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(divergence, "GPU_LAG", 3)
    guard = UpdateGuard(parameters, 0.0, torch.device("cuda"))
    guard(torch.tensor(math.nan))
    for _ in range(2):
        guard(torch.tensor(1.0))
    with pytest.raises(NotFiniteError) as caught:
        guard(torch.tensor(1.0))
    assert caught.value.updates_ago == 3
