from collections.abc import Callable

import pytest
import torch

from cnn_train.lecture import regularization
from cnn_train.lecture.regularization import Weights, compare_strengths, learn_points, pull
from cnn_train.losses.regularization import L1Config, L2Config
from cnn_train.training.session import Session


def test_l2_shrinks_a_weight_by_a_share_and_l1_by_a_step() -> None:
    l2 = pull(L2Config(strength=0.1), 1.0, 0.1, 50)
    assert l2 == pytest.approx([0.98**i for i in range(51)])
    l1 = pull(L1Config(strength=0.1), -1.0, 0.1, 150)
    assert l1[:101] == pytest.approx([-1 + 0.01 * i for i in range(101)], abs=1e-12)
    assert max(map(abs, l1[100:])) <= 0.01 + 1e-12  # it stays, but for steps of ηλ


def test_weights_near_zero_are_counted_beside_the_largest() -> None:
    model = torch.nn.Linear(4, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[2.0, 0.01, -0.03, 0.0]]))
    measured = Weights.of(model)
    assert measured.near_zero == 0.5
    assert measured.sum_of_squares == pytest.approx(4 + 1e-4 + 9e-4)


def test_of_the_points_l1_leaves_the_most_zeros_and_both_smaller_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(regularization, "TOY_UPDATES", 120)
    strong = regularization.TOY.model_copy(update={"strength": 0.02, "hidden": (8,)})
    monkeypatch.setattr(regularization, "TOY", strong)
    learned = learn_points()
    assert list(learned) == ["none", "l2", "l1"]
    none, l2, l1 = (Weights.of(experiment.network) for experiment in learned.values())
    assert l2.sum_of_squares < none.sum_of_squares
    assert l1.near_zero > max(none.near_zero, l2.near_zero) + 0.2


def test_a_config_is_trained_without_with_and_with_a_hundred_times_its_lambda(
    start: Callable[..., Session],
) -> None:
    session = start(regularization={"kind": "l1", "strength": 1e-3})
    before = [parameter.clone() for parameter in session.model.parameters()]
    results = compare_strengths(session, 32, 0.0)
    assert [one.strength for one in results] == pytest.approx([0.0, 1e-3, 0.1])
    assert [one.num_updates for one in results] == [2, 2, 2]
    sums = [one.weights.sum_of_squares for one in results]
    assert sums[0] > sums[1] > sums[2]
    assert all(torch.equal(a, b) for a, b in zip(before, session.model.parameters(), strict=True))


def test_a_config_without_a_penalty_is_compared_with_the_usual_l2(
    start: Callable[..., Session],
) -> None:
    results = compare_strengths(start(regularization={"kind": "none"}), 32, 0.0)
    assert [one.strength for one in results] == pytest.approx([0.0, 5e-4, 5e-2])
