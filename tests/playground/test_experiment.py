import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from cnn_train.errors import DivergedError
from cnn_train.playground.experiment import Experiment, run_epochs
from cnn_train.playground.network import ToyNetwork
from cnn_train.playground.settings import resolve_settings
from cnn_train.random_streams import make_generator, seeded


def start(**settings: Any) -> Experiment:
    return Experiment(resolve_settings(settings, "test"))


def weights_of(experiment: Experiment) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in experiment.network.parameters()]


def assert_same(first: list[torch.Tensor], second: list[torch.Tensor]) -> None:
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize(("dataset", "accuracy"), [("circle", 0.95), ("xor", 0.9), ("gauss", 0.99)])
@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_every_toy_set_is_learned_with_what_suits_it(
    dataset: str, accuracy: float, loss: str
) -> None:
    *_, last = run_epochs(start(dataset=dataset, loss=loss), 40)
    assert last.test_accuracy >= accuracy


@pytest.mark.parametrize("seed", [1, 4])  # the slowest of the first five
def test_the_spiral_is_learned_to_95_percent_in_the_usual_epochs(seed: int) -> None:
    from cnn_train.cli.playground import EPOCHS

    assert EPOCHS == 200
    *_, last = run_epochs(start(dataset="spiral", seed=seed), EPOCHS)
    assert last.test_accuracy >= 0.95


def test_a_linear_classifier_cannot_learn_xor_but_can_with_the_product_as_a_feature() -> None:
    *_, plain = run_epochs(start(dataset="xor", hidden=()), 30)
    *_, product = run_epochs(start(dataset="xor", hidden=(), features=("x1x2",)), 30)
    assert plain.test_accuracy < 0.7
    assert product.test_accuracy > 0.95


def test_training_starts_at_chance() -> None:
    assert start().measure().train_loss == pytest.approx(math.log(2), abs=0.1)
    assert start(loss="hinge").measure().train_loss == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("kind", ["none", "l1", "l2"])
def test_the_engine_takes_the_steps_of_a_plain_loop_written_by_hand(
    momentum: float, kind: str
) -> None:
    experiment = start(
        dataset="xor", hidden=(3,), learning_rate=0.2, momentum=momentum, regularization=kind,
        strength=0.01, batch_size=100, seed=5,
    )  # fmt: skip
    with seeded(5, "weights"):
        network = ToyNetwork(2, (3,), "tanh")
    assert_same(weights_of(experiment), [p.detach() for p in network.parameters()])
    first_N, second_N = (
        torch.randperm(250, generator=make_generator(5, "order", epoch)) for epoch in (0, 1)
    )
    velocities = [torch.zeros_like(p) for p in network.parameters()]
    for index_B in (first_N[:100], first_N[100:200], first_N[200:], second_N[:100]):
        scores_BK = network(experiment.train.points_N2[index_B])
        loss = F.cross_entropy(scores_BK, experiment.train.labels_N[index_B])
        for layer in network.linear_layers:
            if kind == "l1":
                loss = loss + 0.01 * layer.weight.abs().sum()
            if kind == "l2":
                loss = loss + 0.01 * layer.weight.square().sum()
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            parameters = network.parameters()
            for p, gradient, velocity in zip(parameters, gradients, velocities, strict=True):
                velocity.mul_(momentum).add_(gradient)
                p -= 0.2 * velocity
    experiment.advance(4)
    for ours, expected in zip(experiment.network.parameters(), network.parameters(), strict=True):
        assert torch.allclose(ours, expected, rtol=0, atol=1e-14)


def test_many_steps_at_once_are_the_same_steps_one_by_one_also_if_they_are_measured() -> None:
    at_once, one_by_one = start(dataset="spiral"), start(dataset="spiral")
    at_once.advance(60)
    for _ in range(60):
        one_by_one.advance(1)
        one_by_one.measure()
        one_by_one.advance(0)
    assert (at_once.step, at_once.epoch, at_once.steps_per_epoch) == (60, 2, 25)
    assert one_by_one.step == 60
    assert_same(weights_of(at_once), weights_of(one_by_one))


def test_measures_are_means_over_each_set() -> None:
    experiment = start(dataset="circle", train_fraction=0.2)
    experiment.advance(40)
    measures = experiment.measure()
    for points, loss, accuracy in (
        (experiment.train, measures.train_loss, measures.train_accuracy),
        (experiment.test, measures.test_loss, measures.test_accuracy),
    ):
        scores_NK = experiment.network(experiment.features_of(points.points_N2))
        assert loss == pytest.approx(F.cross_entropy(scores_NK, points.labels_N).item())
        right = (scores_NK.argmax(1) == points.labels_N).sum().item()
        assert accuracy == right / len(points)


def test_an_experiment_that_diverges_stops_with_finite_weights_and_says_why() -> None:
    experiment = start(
        hidden=(8, 8, 8, 8, 8, 8), activation="linear", features=("x1x1", "x2x2"), learning_rate=10
    )
    with pytest.raises(DivergedError, match=r"epoch \d+, step \d+: the .* is not finite"):
        experiment.advance(10_000)
    steps = experiment.step
    assert experiment.update is None
    assert all(bool(weights.isfinite().all()) for weights in weights_of(experiment))
    with pytest.raises(DivergedError):
        experiment.advance(1)
    assert experiment.step == steps
