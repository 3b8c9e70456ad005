import re
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector

from cnn_train.playground.experiment import Change, Experiment
from cnn_train.playground.formula import (
    Place,
    all_places,
    name_place,
    show,
    weight_step,
    write_formula,
)
from cnn_train.playground.settings import resolve_settings

EVERY_RULE = [
    {"momentum": momentum, "regularization": kind, "loss": loss}
    for momentum in (0.0, 0.9)
    for kind in ("none", "l1", "l2")
    for loss in ("cross_entropy", "hinge")
]


def start(**settings: Any) -> Experiment:
    usual = {"dataset": "xor", "hidden": (3,), "learning_rate": 0.03, "strength": 0.02}
    return Experiment(resolve_settings(usual | settings, "test"))


def steps_of(experiment: Experiment) -> list[Change[float]]:
    steps = [weight_step(experiment, place) for place in all_places(experiment)]
    assert None not in steps
    return [step for step in steps if step is not None]


def numbers_in(text: str) -> list[float]:
    numbers = re.findall(r"−?\d[\d.]*(?:e[−+]?\d+)?", text)
    return [float(number.replace("−", "-")) for number in numbers]


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_every_weight_moves_by_exactly_what_the_learning_rule_says(rule: dict[str, Any]) -> None:
    experiment = start(**rule)
    for _ in range(3):
        before_P = parameters_to_vector(experiment.network.parameters()).detach()
        experiment.advance(1)
        steps = steps_of(experiment)
        assert sorted(step.before for step in steps) == before_P.sort().values.tolist()
        for step in steps:
            velocity = rule["momentum"] * step.velocity_before + step.gradient
            assert step.velocity == pytest.approx(velocity, rel=1e-12, abs=1e-15)
            assert step.after == pytest.approx(step.before - 0.03 * step.velocity, rel=1e-14)


@pytest.mark.parametrize("kind", ["none", "l1", "l2"])
def test_the_gradient_is_that_of_the_data_and_the_pull_of_the_regularisation(kind: str) -> None:
    experiment = start(regularization=kind, batch_size=250)
    features_NF = experiment.features_of(experiment.train.points_N2)
    loss = F.cross_entropy(experiment.network(features_NF), experiment.train.labels_N)
    weight = experiment.network.linear_layers[0].weight
    (expected,) = torch.autograd.grad(loss, [weight])
    experiment.advance(1)
    for unit in range(3):
        step = weight_step(experiment, Place(0, unit, 1))
        assert step is not None
        pull = {"none": 0.0, "l1": 0.02 * (1 if step.before > 0 else -1), "l2": 0.04 * step.before}
        assert step.pull == pytest.approx(pull[kind])
        assert step.gradient - step.pull == pytest.approx(expected[unit, 1].item())


def test_biases_pay_no_price() -> None:
    experiment = start(regularization="l2")
    experiment.advance(2)
    bias = weight_step(experiment, Place(1, 0, None))
    assert bias is not None and bias.pull == 0
    lines = write_formula(experiment, Place(1, 0, None))
    assert [line.symbols for line in lines[1:]] == ["g = ∂L/∂b", "b ← b − η · g"]


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_the_printed_numbers_add_up(rule: dict[str, Any]) -> None:
    experiment = start(**rule)
    experiment.advance(40)
    for place in all_places(experiment):
        lines = {line.name: line.numbers for line in write_formula(experiment, place)}
        after, before, rate, slope = numbers_in(lines["update"])
        assert rate == 0.03
        assert after == pytest.approx(before - rate * slope, abs=2e-6)
        assert ("velocity" in lines) == bool(rule["momentum"])
        if " = " in lines["loss"]:
            total, data, price = numbers_in(lines["loss"])
            assert total == pytest.approx(data + price, abs=2e-6)


def test_the_lines_of_the_plain_rule_are_these() -> None:
    experiment = start()
    before = write_formula(experiment, Place())
    assert [line.numbers for line in before] == ["", "", ""]
    experiment.advance(1)
    loss, gradient, update = write_formula(experiment, Place())
    step = weight_step(experiment, Place())
    assert step is not None and experiment.update is not None
    assert (loss.symbols, loss.numbers) == ("L = 1/B Σ Lᵢ", show(experiment.update.loss))
    assert (gradient.symbols, gradient.numbers) == ("g = ∂L/∂w", show(step.gradient))
    assert update.symbols == "w ← w − η · g"
    assert update.numbers.startswith(f"{show(step.after)} ← {show(step.before)} − 0.03 · ")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (Place(), "hidden 1, neuron 1 ← x₁"),
        (Place(0, 2, 1), "hidden 1, neuron 3 ← sin x₂"),
        (Place(0, 2, None), "hidden 1, neuron 3, bias"),
        (Place(1, 1, 2), "score of blue ← neuron 3"),
        (Place(1, 0, None), "score of orange, bias"),
    ],
)
def test_a_weight_is_named_by_what_it_connects(place: Place, name: str) -> None:
    assert name_place(place, start(features=("x1", "sin_x2")).settings) == name


def test_there_is_a_place_for_every_parameter() -> None:
    places = all_places(start())
    assert len(set(places)) == len(places) == 2 * 3 + 3 + 3 * 2 + 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.000000"), (-0.25, "−0.250000"), (1.5e-7, "1.500e−07"), (-2e9, "−2.000e+09")],
)
def test_numbers_are_printed_with_what_they_have_to_say(value: float, text: str) -> None:
    assert show(value) == text
