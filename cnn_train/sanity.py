"""Is anything wrong before a long run begins? Four checks that cost seconds.

Each works on a copy of the network and leaves the random generators as it found them: the run
computes the same bits with and without them.
Source: Stanford CS231n, "Neural Networks Part 3: Learning and Evaluation", sanity checks.

Shape letters: B minibatch, C channels, H W pixels, K classes.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import repeat
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .data.batches import Batch
from .device import with_autocast
from .engine import Forward, train_epoch
from .errors import name_some, single_values_explained
from .losses.loss import LossConfig, LossFn
from .reproducibility import generator_states, restore_generator_states, seed_global_generators
from .session import Session

NEAR_CHANCE = 0.25
"""How far the first loss may lie from chance, as a share of it; the zoo starts within 11 %."""

NUM_OVERFIT_IMAGES = 20
MOST_OVERFIT_STEPS = 300
OVERFIT_RATE = 3e-3
OVERFIT_SHARE_OF_CHANCE = 0.2
"""Learned by heart: all of them right, and the loss below this share of chance."""

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """What one check found; ``meaning`` is what a failure usually means."""

    check: str
    outcome: Outcome
    found: str
    meaning: str

    @property
    def failed(self) -> bool:
        """Whether something is probably wrong."""
        return self.outcome == "failed"

    def to_json(self) -> dict[str, Any]:
        """Return the finding's part of a JSON document."""
        return asdict(self)


@dataclass(frozen=True)
class InitialLoss:
    """The data loss of one minibatch before the first update, and that of guessing."""

    loss: float
    chance: float

    @property
    def is_near_chance(self) -> bool:
        """Whether the network knows nothing and is not sure of it either."""
        return abs(self.loss - self.chance) <= NEAR_CHANCE * self.chance


def check_sanity(session: Session, *, starts_anew: bool = True) -> list[Finding]:
    """Make all four checks. ``starts_anew``: the weights are drawn, not those of another model."""
    return [
        check_initial_loss(session, starts_anew=starts_anew),
        check_gradients(session),
        check_regularization(session),
        check_overfitting(session),
    ]


@contextmanager
def untouched(session: Session) -> Iterator[tuple[nn.Module, Forward]]:
    """Yield a copy of the network in training mode and its forward pass; put generators back."""
    states = generator_states()
    seed_global_generators(session.config.seed, "dropout", 0)
    model = deepcopy(session.model).train()
    try:
        with single_values_explained():
            yield model, with_autocast(model, session.device, session.precision)
    finally:
        restore_generator_states(states)


def measure_initial_loss(session: Session) -> InitialLoss:
    """Return the loss of the first minibatch (one forward pass)."""
    batch = next(session.batches.epoch(0))
    with untouched(session) as (_, forward), torch.no_grad():
        loss = session.loss_fn(forward(batch.images_BCHW), batch.labels_B)
    num_classes = len(session.batches.images.class_names)
    return InitialLoss(float(loss), session.config.loss.chance_loss(num_classes))


def check_initial_loss(session: Session, *, starts_anew: bool = True) -> Finding:
    """Compare the first loss with that of guessing: ln K for cross-entropy, K − 1 for hinge."""
    first = measure_initial_loss(session)
    if starts_anew:
        is_right = first.is_near_chance
        meaning = "the weights start too large (scores far apart), or the inputs are not normalised"
    else:
        is_right = first.loss < (1 + NEAR_CHANCE) * first.chance
        meaning = "the weights were made for other classes or for images normalised otherwise"
    return Finding(
        "initial loss",
        "passed" if is_right else "failed",
        f"{first.loss:.4g}; guessing costs {first.chance:.4g}",
        meaning,
    )


def check_gradients(session: Session) -> Finding:
    """Look for parameters whose gradient is not there, zero or not finite, at one minibatch."""
    batch = next(session.batches.epoch(0))
    with untouched(session) as (model, forward):
        model.zero_grad(set_to_none=True)
        session.loss_fn(forward(batch.images_BCHW), batch.labels_B).backward()  # type: ignore[no-untyped-call]
        gradients = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    broken = [name for name, one in gradients.items() if one is not None and not is_finite(one)]
    silent = [name for name, one in gradients.items() if one is None or not one.any()]
    if broken:
        found = f"not finite in {name_some(broken)}"
    elif silent:
        found = f"zero in {name_some(silent)}"
    else:
        found = f"finite and not zero in all {len(gradients)} tensors"
    return Finding(
        "gradients",
        "failed" if broken or silent else "passed",
        found,
        "zero: a layer is dead or not connected to the loss; not finite: an overflow or a 0/0",
    )


def is_finite(gradient: Tensor) -> bool:
    """Say whether every number is finite (waits for the device)."""
    return bool(gradient.isfinite().all())


def check_regularization(session: Session) -> Finding:
    """See whether λR(W) is above zero and grows with λ."""
    settings = session.config.regularization
    strength = getattr(settings, "strength", 0.0)
    meaning = "no weight is penalised, or λR(W) does not reach the loss"
    if not strength:
        return Finding("regularisation", "skipped", "λ is 0", meaning)
    with untouched(session) as (model, _), torch.no_grad():
        penalties = [
            float(settings.model_copy(update={"strength": factor * strength}).build(model)())
            for factor in (1, 10)
        ]
    grows = 0 < penalties[0] < penalties[1] < math.inf
    return Finding(
        "regularisation",
        "passed" if grows else "failed",
        f"adds {penalties[0]:.4g} to the loss, {penalties[1]:.4g} with 10 λ",
        meaning,
    )


def check_overfitting(session: Session) -> Finding:
    """Train on a few images by Adam until they are known by heart.

    Without regularisation and label smoothing, which keep the loss from ever coming near 0.
    """
    loss_fn = without_smoothing(session.config.loss).build()
    chance = session.config.loss.chance_loss(len(session.batches.images.class_names))
    batch = few_images(session)
    num, learned, found = len(batch.labels_B), False, ""
    with untouched(session) as (model, forward):
        for steps, (loss, num_correct) in enumerate(learning(model, forward, loss_fn, batch)):
            found = f"after {steps} updates {num_correct} of {num} right, loss {loss:.3g}"
            learned = num_correct == num and loss < OVERFIT_SHARE_OF_CHANCE * chance
            if learned:
                break
    return Finding(
        f"{num} images by heart",
        "passed" if learned else "failed",
        found,
        "labels do not belong to their images, the network is too small, or its gradient is wrong",
    )


def few_images(session: Session) -> Batch:
    """Take images from all over the training set, which may be sorted by class."""
    images = session.batches.images
    index_B = torch.linspace(0, len(images) - 1, min(NUM_OVERFIT_IMAGES, len(images))).long()
    index_B = index_B.to(images.labels_N.device)
    normalised_BCHW = session.batches.normalization(images.images_NCHW[index_B])
    return Batch(normalised_BCHW, images.labels_N[index_B])


def without_smoothing(loss: LossConfig) -> LossConfig:
    """Return the same loss with hard targets."""
    has_smoothing = "label_smoothing" in type(loss).model_fields
    return loss.model_copy(update={"label_smoothing": 0.0} if has_smoothing else {})


def learning(
    model: nn.Module, forward: Forward, loss_fn: LossFn, batch: Batch
) -> Iterator[tuple[float, int]]:
    """Yield the loss and the number of right answers before each update of the same minibatch."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam([{"params": trained, "initial_lr": OVERFIT_RATE}], lr=OVERFIT_RATE)
    nothing = torch.zeros((), device=batch.labels_B.device)
    batches = repeat(batch, MOST_OVERFIT_STEPS)
    for tally in train_epoch(
        forward, loss_fn, lambda: nothing, optimizer, lambda _: 1.0, batches, step=0
    ):
        yield tally.loss, int(tally.num_correct)
