"""λR(W) alone: what a penalty on weights does to one weight, to many, and to a decision.

    L2   λΣW²    slope 2λW         w ← (1 − 2ηλ) w         shrinks by a share: small, never 0
    L1   λΣ|W|   slope λ sign W    w ← w − ηλ sign(w)      shrinks by a step: 0 after |w|/ηλ updates

With data, a weight stays where the slope of the data loss and that of λR hold each other. L2 lets a
weight live that is of little use, only small; L1 takes it to 0.

Shape letters: P parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..losses.regularization import (
    L2Config,
    NoRegularizationConfig,
    RegularizationConfig,
    select_parameters,
)
from ..playground.experiment import Experiment
from ..playground.settings import PlaygroundSettings
from ..training.session import Session
from .timed_training import loss_of_all, plain_session, train_for

LR, STRENGTH, NUM_UPDATES = 0.1, 0.1, 150
"""Of one weight that only the penalty pulls at: L1 brings it from 1 to 0 in 100 updates."""

TOY = PlaygroundSettings(
    dataset="xor", points=120, noise=0.6, hidden=(8, 8, 8), batch_size=60, momentum=0.9,
    strength=0.003,
)  # fmt: skip
"""The playground's experiment that is made without a penalty, with L2 and with L1."""

TOY_UPDATES = 600

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
class Strength:
    """A short training of the config with one λ; loss: without λR, at the end."""

    strength: float
    num_updates: int
    seconds: float
    loss: float
    val_accuracy: float
    weights: Weights


def pull(
    regularization: RegularizationConfig,
    weight: float = 1.0,
    lr: float = LR,
    updates: int = NUM_UPDATES,
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


def learn_points() -> dict[str, Experiment]:
    """Train a network on noisy points without a penalty, with L2 and with L1."""
    kinds = ("none", "l2", "l1")
    learned = {kind: Experiment(TOY.model_copy(update={"regularization": kind})) for kind in kinds}
    for experiment in learned.values():
        experiment.advance(TOY_UPDATES)
    return learned


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
