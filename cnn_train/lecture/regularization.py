"""λR(W) alone: what a penalty on weights does to one weight, to many, and to a decision.

    L2   λΣW²    slope 2λW         w ← (1 − 2ηλ) w         shrinks by a share: small, never 0
    L1   λΣ|W|   slope λ sign W    w ← w − ηλ sign(w)      shrinks by a step: 0 after |w|/ηλ updates

With data, a weight stays where the slope of the data loss and that of λR hold each other. L2 lets a
weight live that is of little use, only small; L1 takes it to 0.

Shape letters: B minibatch, P parameters, G cells along a side of the grid.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..losses.regularization import (
    L1Config,
    L2Config,
    NoRegularizationConfig,
    RegularizationConfig,
    select_parameters,
)
from ..playground.network import ToyNetwork, class_lead, grid_points
from ..playground.toy_sets import REACH, Points, draw_toy_set
from ..random_streams import seeded
from ..training.session import Session
from .timed_training import loss_of_all, plain_session, train_for

LR, STRENGTH, NUM_UPDATES = 0.1, 0.1, 150
"""Of one weight that only the penalty pulls at: L1 brings it from 1 to 0 in 100 updates."""

TOY_LR, TOY_UPDATES, TOY_HIDDEN, TOY_NOISE, NUM_POINTS = 0.1, 600, 24, 0.6, 120
TOY_STRENGTHS = {"l2": 0.003, "l1": 0.003}
GRID, GRID_REACH = 40, 1.5 * REACH

NEAR_ZERO = 1e-2
"""A weight this small, as a share of the largest, counts as 0."""

FACTORS = (0.0, 1.0, 100.0)
"""The λ that are compared, in those of the config."""


@dataclass(frozen=True)
class Weights:
    """The weights P that a penalty is for: ΣW², the share of those near 0, and themselves."""

    sum_of_squares: float
    near_zero: float
    values_P: Tensor

    @classmethod
    def of(cls, model: nn.Module) -> "Weights":
        """Measure the weights of a network as they are now."""
        weights = select_parameters(model, "weights")
        values_P = torch.cat([weight.detach().flatten() for weight in weights]).cpu().double()
        near = values_P.abs() <= NEAR_ZERO * values_P.abs().max()
        return cls(float(values_P.square().sum()), float(near.double().mean()), values_P)


@dataclass(frozen=True)
class ToyResult:
    """A network that learned some points of the plane: its accuracies, weights and surface GG."""

    name: str
    train_accuracy: float
    test_accuracy: float
    weights: Weights
    surface_GG: Tensor


@dataclass(frozen=True)
class Strength:
    """A short training of the config with one λ; loss: without λR, at the end."""

    strength: float
    num_updates: int
    seconds: float
    loss: float
    val_accuracy: float
    weights: Weights


def pull(
    regularization: RegularizationConfig, weight: float, lr: float, updates: int
) -> list[float]:
    """Return a weight before and after each update by the slope of λR alone."""
    model = nn.Linear(1, 1, bias=False).double()
    penalty, way = regularization.build(model), [weight]
    nn.init.constant_(model.weight, weight)
    for _ in range(updates):
        (slope,) = torch.autograd.grad(penalty(), [model.weight])
        with torch.no_grad():
            model.weight -= lr * slope
        way.append(model.weight.item())
    return way


def learn_points(seed: int = 1) -> tuple[Points, Points, list[ToyResult]]:
    """Train a network of 24 units on noisy points without a penalty, with L2 and with L1."""
    train, test = draw_toy_set("xor", NUM_POINTS, TOY_NOISE, 0.5, seed)
    penalties = (
        ("none", NoRegularizationConfig()),
        ("l2", L2Config(strength=TOY_STRENGTHS["l2"])),
        ("l1", L1Config(strength=TOY_STRENGTHS["l1"])),
    )
    return train, test, [_learn(name, one, train, test, seed) for name, one in penalties]


def _learn(
    name: str, regularization: RegularizationConfig, train: Points, test: Points, seed: int
) -> ToyResult:
    """Follow the slope of all points' cross-entropy + λR, with momentum 0.9."""
    with seeded(seed, "weights"):
        model = ToyNetwork(2, [TOY_HIDDEN], "tanh")
    penalty = regularization.build(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=TOY_LR, momentum=0.9)
    for _ in range(TOY_UPDATES):
        loss = F.cross_entropy(model(train.points_N2), train.labels_N) + penalty()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        at_train, at_test = (
            float((model(one.points_N2).argmax(1) == one.labels_N).double().mean())
            for one in (train, test)
        )
        leads = class_lead(model(grid_points(GRID, GRID_REACH)), "cross_entropy")
    return ToyResult(name, at_train, at_test, Weights.of(model), leads.view(GRID, GRID))


def compare_strengths(
    session: Session,
    num_images: int,
    seconds: float,
    advance: Callable[[int], None] = lambda amount: None,
) -> list[Strength]:
    """Train the config for about ``seconds`` with λ = 0, its own and 100 times it.

    By the plain rule, from the same weights, on the same images. A config without a penalty gets
    L2 with its usual λ.
    """
    base = session.config.regularization
    if isinstance(base, NoRegularizationConfig):
        base = L2Config()
    results = []
    for factor in FACTORS:
        strength = factor * base.model_dump()["strength"]
        changed = {"regularization": base.model_copy(update={"strength": strength})}
        config = session.config.model_copy(update=changed)
        own = plain_session(replace(session, config=config), config.batch_size, num_images)
        curve = train_for(own, seconds, loss_of_all(own), own.batches)
        tally = own.validate()
        assert tally is not None
        results.append(
            Strength(strength, curve.num_updates, curve.seconds, curve.last_loss, tally.accuracy,
                     Weights.of(own.model))
        )  # fmt: skip
        advance(1)
    return results
