"""Train a copy of a run's network for a moment: on a few images, and at the run's own rates.

At its own rates: ten updates at the run's first ones, then a quick climb to the highest that its
schedule has, which a warm-up would hide, and some at that, judged by the loss of the same images.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice, repeat

import torch
from torch import Tensor, nn

from ..data.batches import Batch
from ..errors import refusals_explained
from ..losses.loss import LossConfig, LossFn, Reduction
from ..losses.regularization import NoRegularizationConfig, RegularizationConfig
from ..machine.device import with_autocast
from ..metrics.tally import Tally
from ..optim.adamw import AdamWConfig
from ..optim.schedules import Schedule
from ..random_streams import generator_states, restore_generator_states, seed_global_generators
from ..training.loop import Forward, train_epoch
from ..training.session import Session
from ..training.update_guard import NotFiniteError, UpdateGuard

NUM_OVERFIT_IMAGES = 20
MOST_OVERFIT_STEPS = 300
OVERFIT_RATE = 3e-3

MOST_IMAGES = 64
NUM_FIRST, NUM_CLIMBING, NUM_AT_PEAK = 10, 10, 20
NUM_UPDATES = NUM_FIRST + NUM_CLIMBING + NUM_AT_PEAK
NUM_LAST = 10
"""Updates after each of which the loss is measured: it swings, and the lowest is what counts."""

LOOKED_AT = (NUM_FIRST, *range(NUM_UPDATES - NUM_LAST + 1, NUM_UPDATES + 1))

CLEARLY_ABOVE = 2.0
"""Times the higher of first loss and guessing. A good rate may overshoot without its warm-up: of
the shipped configs, on shapes, all end below 1.3, but vgg16_hinge at 1.4."""

SMALLEST_CHANGE = 1e-4
"""Of the loss, relative to the first, below which nothing was learned."""


@dataclass(frozen=True)
class Rehearsal:
    """What became of the loss, data and λR(W), of the same images.

    losses: by the number of updates made before; the last is ∞ where it or its slope is not finite.
    rates: of the updates that were made.
    """

    num_images: int
    losses: dict[int, float]
    rates: tuple[float, ...]

    @property
    def num_updates(self) -> int:
        """Return how many were made."""
        return len(self.rates)

    @property
    def last_loss(self) -> float:
        """Return the lowest of the last few: where it got to, apart from its swings."""
        first = NUM_UPDATES - NUM_LAST + 1
        last = (loss for num, loss in self.losses.items() if num >= first)
        return min(last) if self.is_finite else math.inf

    @property
    def is_finite(self) -> bool:
        """Whether all went on being numbers."""
        return all(map(math.isfinite, self.losses.values()))

    def went_well(self, chance: float) -> bool:
        """Whether the loss did not end clearly above both the first one and that of guessing."""
        return self.is_finite and self.last_loss <= CLEARLY_ABOVE * max(self.losses[0], chance)

    @property
    def moved(self) -> bool:
        """Whether the loss changed at all."""
        first = self.losses[0]
        changes = (abs(loss - first) for loss in self.losses.values())
        return not self.is_finite or max(changes) > SMALLEST_CHANGE * abs(first)


@contextmanager
def untouched(session: Session) -> Iterator[tuple[nn.Module, Forward]]:
    """Yield a copy of the network in training mode and its forward pass; put generators back."""
    states = generator_states()
    seed_global_generators(session.config.seed, "dropout", 0)
    model = deepcopy(session.model).train()
    try:
        with refusals_explained():
            yield model, with_autocast(model, session.device, session.precision)
    finally:
        restore_generator_states(states)


def few_images(session: Session) -> Batch:
    """Take images from all over the training set, which may be sorted by class."""
    images = session.batches.images
    index_B = torch.linspace(0, len(images) - 1, min(NUM_OVERFIT_IMAGES, len(images)))
    index_B = index_B.long().to(images.labels_N.device)
    normalised_BCHW = session.batches.normalization(images.images_NCHW[index_B])
    return Batch(normalised_BCHW, images.labels_N[index_B])


def without_smoothing(loss: LossConfig) -> LossConfig:
    """Return the same loss with hard targets."""
    has_smoothing = "label_smoothing" in type(loss).model_fields
    return loss.model_copy(update={"label_smoothing": 0.0} if has_smoothing else {})


def learning(model: nn.Module, forward: Forward, loss_fn: LossFn, batch: Batch) -> Iterator[Tally]:
    """Yield the tally of the same minibatch before each of many updates by Adam."""
    return train_epoch(
        forward, loss_fn, NoRegularizationConfig().build(model),
        AdamWConfig(lr=OVERFIT_RATE).build(model), lambda _: 1.0,
        repeat(batch, MOST_OVERFIT_STEPS), step=0,
    )  # fmt: skip


def rehearse(
    session: Session, settings: RegularizationConfig, *, with_data: bool = True
) -> Rehearsal:
    """Make the updates, with the run's own optimizer and loss and with λR(W) by ``settings``.

    Not ``with_data``, λR(W) is all that is descended, and the whole loss.

    The loss is measured in training mode: after so few updates running statistics know nothing.
    """
    here = torch.device("cpu")  # on a GPU too, every update is looked at before it is made
    schedule = climb(session)
    probe = next(small_batches(session))
    with untouched(session) as (model, forward):
        penalty = settings.build(model)
        loss_fn = session.loss_fn if with_data else nothing
        updates = train_epoch(
            forward, loss_fn, penalty, session.config.optimizer.build(model), schedule,
            small_batches(session), step=0,
            before_update=UpdateGuard(model.parameters(), session.config.clip_grad_norm, here),
        )  # fmt: skip

        def measure() -> float:
            with same_dropout(session), torch.no_grad():
                loss = loss_fn(forward(probe.images_BCHW), probe.labels_B)
                return float(loss + penalty())

        losses, num_made = {0: measure()}, 0
        try:
            for num_made, _ in enumerate(islice(updates, NUM_UPDATES), 1):
                if num_made in LOOKED_AT:
                    losses[num_made] = measure()
        except NotFiniteError:
            losses[num_made] = math.inf
    rates = tuple(session.config.optimizer.lr * schedule(step) for step in range(num_made))
    return Rehearsal(len(probe.labels_B), losses, rates)


def nothing(scores_BK: Tensor, labels_B: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Return 0, with a slope of 0."""
    return 0.0 * scores_BK.float().sum()


def climb(session: Session) -> Schedule:
    """Return the run's own schedule for the first updates, then one that climbs to its peak."""
    begin, peak = session.schedule(NUM_FIRST - 1), peak_of(session)

    def schedule(step: int) -> float:
        if step < NUM_FIRST:
            return session.schedule(step)
        share = min((step - NUM_FIRST + 1) / NUM_CLIMBING, 1.0)
        return begin + share * (peak - begin)

    return schedule


def peak_of(session: Session) -> float:
    """Return the schedule's highest factor; of very many updates, those of a grid are asked."""
    num_steps = session.config.epochs * session.updates_per_epoch
    return max(map(session.schedule, range(0, num_steps, max(num_steps // 10_000, 1))))


@contextmanager
def same_dropout(session: Session) -> Iterator[None]:
    """Leave out the same units each time, and let the updates go on with their own."""
    states = generator_states()
    seed_global_generators(session.config.seed, "dropout", 0)
    try:
        yield
    finally:
        restore_generator_states(states)


def small_batches(session: Session) -> Iterator[Batch]:
    """Yield a part of each of the first epoch's minibatches, again and again; each is an update."""
    while True:
        for one in session.batches.epoch(0):
            yield Batch(one.images_BCHW[:MOST_IMAGES], one.labels_B[:MOST_IMAGES])
