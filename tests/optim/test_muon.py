from typing import Any

import pytest
import torch
from torch import nn

from cnn_train.errors import ConfigError
from cnn_train.optim import muon
from cnn_train.optim.muon import Muon, MuonConfig, orthogonalize, orthogonalize_all


@pytest.fixture
def exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute in the tensors' own precision, whatever this machine multiplies fastest."""
    monkeypatch.setattr(muon, "multiplies_bfloat16", lambda device: False)


def make_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (9, 9)])
@pytest.mark.usefixtures("exactly")
def test_an_orthogonalized_matrix_keeps_its_singular_vectors_and_levels_its_values(
    shape: tuple[int, int],
) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    in_its_own_basis = left.T @ orthogonalize(matrix[None], steps=5)[0] @ right.T
    torch.testing.assert_close(
        in_its_own_basis, in_its_own_basis.diagonal().diag(), rtol=0, atol=1e-9
    )
    assert values.max() / values.min() > 1.9
    assert 0.6 < in_its_own_basis.diagonal().min() < in_its_own_basis.diagonal().max() < 1.3


@pytest.mark.usefixtures("exactly")
def test_each_step_applies_the_quintic_to_every_singular_value() -> None:
    values = torch.tensor([0.8, 0.5, 0.1], dtype=torch.float64)
    expected = values / values.norm()
    for _ in range(3):
        expected = 3.4445 * expected - 4.7750 * expected**3 + 2.0315 * expected**5
    torch.testing.assert_close(
        orthogonalize(values.diag()[None], steps=3)[0].diagonal(), expected, rtol=1e-6, atol=0
    )


def test_a_matrix_of_zeros_stays_zero() -> None:
    assert torch.equal(orthogonalize(torch.zeros(1, 3, 5), steps=3), torch.zeros(1, 3, 5))


def one_by_one(update: torch.Tensor, steps: int, coefficients: tuple[float, ...]) -> torch.Tensor:
    """Apply the polynomial to the singular values themselves."""
    left, values, right = torch.linalg.svd(update.flatten(1), full_matrices=False)
    values = values / values.norm().clamp(min=1e-12)
    for _ in range(steps):
        a, b, c = coefficients
        values = a * values + b * values**3 + c * values**5
    return (left @ values.diag() @ right).view(update.shape)


@pytest.mark.parametrize(
    ("shapes", "pad", "num_batches"),
    [
        ([(6, 2, 3, 3), (20, 2, 3, 1), (6, 3, 3, 2), (4, 4), (18, 6)], False, 3),
        ([(6, 2, 3, 3), (20, 2, 3, 1), (6, 3, 3, 2), (4, 4), (18, 6)], True, 1),
        ([(30, 40), (2, 2), (2, 2), (2, 2), (2, 2)], True, 2),  # too many zeros
    ],
)
@pytest.mark.usefixtures("exactly")
def test_updates_made_orthogonal_together_are_those_made_so_one_by_one(
    shapes: list[tuple[int, ...]], pad: bool, num_batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    updates = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    if updates[0].ndim == 4:
        updates[0] = updates[0].to(memory_format=torch.channels_last)
    updates[-1] = torch.zeros_like(updates[-1])
    batches = []

    def count(*arguments: Any) -> torch.Tensor:
        batches.append(arguments)
        return orthogonalize(*arguments)

    monkeypatch.setattr(muon, "orthogonalize", count)
    record = (3.4576, -4.7391, 2.0843)
    found = orthogonalize_all(updates, 3, record, pad=pad)
    assert len(batches) == num_batches
    for update, result in zip(updates, found, strict=True):
        expected = one_by_one(update, 3, record)
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-9)


def test_filters_get_their_size_back_in_every_third_update_only() -> None:
    net = make_net()
    optimizer = MuonConfig(lr=0.1, renormalize_every=3, momentum=0).build(net)
    for update in range(7):
        before = net[0].weight.detach().clone()
        resized = before * (8**0.5 / before.norm())
        net[0].weight.grad = torch.ones_like(before)
        optimizer.step()
        # from where it starts, the update goes on as the gradient does: equally in every weight
        moves = [start - net[0].weight.detach() for start in (before, resized)]
        is_straight = [bool((move - move.mean()).abs().max() < 1e-6) for move in moves]
        assert is_straight == ([False, True] if update % 3 == 0 else [True, False])


def test_filters_that_are_all_zeros_learn_from_the_first_step() -> None:
    net = make_net()
    nn.init.zeros_(net[0].weight)
    net[0].weight.grad = torch.randn_like(net[0].weight)
    MuonConfig(lr=0.1).build(net).step()
    assert bool(net[0].weight.isfinite().all())
    assert bool(net[0].weight.any())


def test_a_scale_per_map_is_no_filter_whatever_its_shape() -> None:
    net = make_net()
    net.register_parameter("layer_scale", nn.Parameter(torch.full((8, 1, 1), 1e-6)))
    groups = MuonConfig().build(net).param_groups
    (group,) = (g for g in groups if any(p is net.layer_scale for p in g["params"]))
    assert not group["orthogonal"]


def test_a_parameter_without_a_gradient_is_left_alone() -> None:
    net = make_net()
    before = net[0].weight.detach().clone()
    MuonConfig().build(net).step()
    assert torch.equal(net[0].weight, before)


def test_its_velocity_survives_saving_and_loading() -> None:
    nets = [make_net(), make_net()]
    optimizers = [MuonConfig(lr=0.1).build(net) for net in nets]
    gradient = torch.ones(8, 3, 3, 3)

    def step(i: int) -> None:
        nets[i][0].weight.grad = gradient.clone()
        optimizers[i].step()

    step(0)
    nets[1].load_state_dict(nets[0].state_dict())
    optimizers[1].load_state_dict(optimizers[0].state_dict())
    for i in range(2):
        step(i)
    assert torch.equal(nets[0][0].weight, nets[1][0].weight)
    assert isinstance(optimizers[1], Muon)


@pytest.mark.parametrize("settings", [{"sgd_lr": 5e-324}, {"lr_factors": {"3": 1e-320}}])
def test_a_decay_that_float32_cannot_hold_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"sgd_decay 0\.1: too much for so small a rate"):
        MuonConfig(sgd_decay=0.1, **settings).build(make_net())
    MuonConfig(sgd_decay=0.0, **settings).build(make_net())
