"""Is anything wrong before a long run begins? Five checks that cost seconds.

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
from itertools import islice, repeat
from typing import Any, Literal

import torch
from torch import nn

from .data.batches import Batch
from .device import with_autocast
from .divergence import NotFiniteError, UpdateGuard, gradient_norm
from .engine import Forward, train_epoch
from .errors import name_some, single_values_explained
from .losses.loss import LossConfig, LossFn
from .losses.regularization import NoRegularizationConfig, RegularizationConfig
from .metrics import Tally
from .optim.adamw import AdamWConfig
from .reproducibility import generator_states, restore_generator_states, seed_global_generators
from .session import Session

NEAR_CHANCE = 0.25
"""How far the first loss may lie from chance, as a share of it; the zoo starts within 11 %."""

NUM_OVERFIT_IMAGES = 20
MOST_OVERFIT_STEPS = 300
OVERFIT_RATE = 3e-3
OVERFIT_SHARE_OF_CHANCE = 0.2
"""Learned by heart: all of them right, and the loss below this share of chance."""

NUM_FIRST_UPDATES, MOST_FIRST_IMAGES = 10, 64
MOST_GROWTH, MOST_PENALTY = 100, 10
"""Times the first loss that it may grow in wild first updates; times chance that λR(W) may be."""
TOO_LARGE_RATE = "optimizer.lr is too large; lower it, or raise schedule.warmup_epochs"
TOO_LARGE_LAMBDA = "regularization.strength (λ) is too large: λR(W) outweighs the data loss"

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
    """Make all five checks. ``starts_anew``: the weights are drawn, not those of another model."""
    return [
        check_initial_loss(session, starts_anew=starts_anew),
        check_gradients(session),
        check_regularization(session),
        check_overfitting(session),
        check_first_updates(session),
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
    return InitialLoss(float(loss), chance_loss(session))


def chance_loss(session: Session) -> float:
    """Return what guessing costs."""
    return session.config.loss.chance_loss(len(session.batches.images.class_names))


def check_initial_loss(session: Session, *, starts_anew: bool = True) -> Finding:
    """Compare the first loss with that of guessing: ln K for cross-entropy, K − 1 for hinge."""
    first = measure_initial_loss(session)
    is_right = first.is_near_chance
    meaning = "the weights start too large (scores far apart), or the inputs are not normalised"
    if not starts_anew:
        is_right = first.loss < (1 + NEAR_CHANCE) * first.chance
        meaning = "the weights were made for other classes or for images normalised otherwise"
    found = f"{first.loss:.4g}; guessing costs {first.chance:.4g}"
    return Finding("initial loss", "passed" if is_right else "failed", found, meaning)


def check_gradients(session: Session) -> Finding:
    """Look for gradients of the data loss that are missing or zero, and any that are not finite."""
    batch = next(session.batches.epoch(0))
    with untouched(session) as (model, forward):
        model.zero_grad(set_to_none=True)
        loss = session.loss_fn(forward(batch.images_BCHW), batch.labels_B)
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
        broken = [n for n, one in gradients.items() if one is not None and not one.isfinite().all()]
        silent = [n for n, one in gradients.items() if one is None or not one.any()]
        # only now that of λR(W), which reaches layers that the data do not
        penalty = session.config.regularization.build(model)()
        if penalty.requires_grad:
            penalty.backward()  # type: ignore[no-untyped-call]
        norm = float(gradient_norm(list(model.parameters()), 0))
    meaning = "zero: a layer is dead or not connected to the loss; not finite: an overflow or a 0/0"
    found = f"finite and not zero in all {len(gradients)} tensors"
    if broken or silent:
        found = f"not finite in {name_some(broken)}" if broken else f"zero in {name_some(silent)}"
    elif not math.isfinite(norm):
        found, meaning = "finite, but not together with that of λR(W)", TOO_LARGE_LAMBDA
    is_right = math.isfinite(norm) and not silent
    return Finding("gradients", "passed" if is_right else "failed", found, meaning)


def check_regularization(session: Session) -> Finding:
    """See whether λR(W) is above zero, grows with λ and is no price beside which data are lost."""
    settings = session.config.regularization
    strength = getattr(settings, "strength", 0.0)
    meaning = "no weight is penalised, or λR(W) does not reach the loss"
    if not strength:
        return Finding("regularisation", "skipped", "λ is 0", meaning)
    with untouched(session) as (model, _), torch.no_grad():
        both = (settings.model_copy(update={"strength": n * strength}) for n in (1, 10))
        once, ten_times = (float(one.build(model)()) for one in both)
    grows, chance = 0 < once < ten_times, chance_loss(session)
    found = f"adds {once:.4g} to the loss, {ten_times:.4g} with 10 λ"
    if not once <= MOST_PENALTY * chance:
        grows, meaning = False, TOO_LARGE_LAMBDA
        found = f"adds {once:.4g} to the loss; guessing costs {chance:.4g}"
    return Finding("regularisation", "passed" if grows else "failed", found, meaning)


def check_overfitting(session: Session) -> Finding:
    """Train on a few images until known by heart, without λ and smoothing, which hinder that."""
    loss_fn, chance = without_smoothing(session.config.loss).build(), chance_loss(session)
    batch = few_images(session)
    num, learned, found = len(batch.labels_B), False, ""
    with untouched(session) as (model, forward):
        for steps, tally in enumerate(learning(model, forward, loss_fn, batch)):
            loss, num_correct = tally.loss, int(tally.num_correct)
            found = f"after {steps} updates {num_correct} of {num} right, loss {loss:.3g}"
            learned = num_correct == num and loss < OVERFIT_SHARE_OF_CHANCE * chance
            if learned:
                break
    check, found = f"{num} images by heart", f"{found} (Adam at {OVERFIT_RATE:g}, no λ)"
    meaning = "labels do not belong to their images, or the network is too small or computed wrong"
    return Finding(check, "passed" if learned else "failed", found, meaning)


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


def check_first_updates(session: Session) -> Finding:
    """Try the run's own optimizer, first rates, λ and loss; if they fail, try them without λ."""
    is_sane, totals = first_updates(session, session.config.regularization)
    meaning, found = TOO_LARGE_RATE, "loss or gradient not finite before any"
    if not is_sane:
        is_sane_without, without = first_updates(session, NoRegularizationConfig())
        if is_sane_without:
            meaning = TOO_LARGE_LAMBDA
        elif len(without) == 1:
            meaning = "it is wrong before any update: see the checks above"
    num = len(totals) - 1
    rates = [session.config.optimizer.lr * session.schedule(step) for step in (0, max(num - 1, 0))]
    words = [f"{one:.4g}" if math.isfinite(one) else "not finite" for one in totals]
    if num:
        found = f"{num} at rates {rates[0]:.3g} to {rates[1]:.3g}: loss {words[0]} to {words[-1]}"
    return Finding("first updates", "passed" if is_sane else "failed", found, meaning)


def first_updates(session: Session, settings: RegularizationConfig) -> tuple[bool, list[float]]:
    """Say whether all goes well, and the total before each update (∞: it or its slope is not)."""
    totals: list[float] = []
    with untouched(session) as (model, forward):
        here = torch.device("cpu")  # on a GPU too, every update is looked at before it is made
        guard = UpdateGuard(model.parameters(), session.config.clip_grad_norm, here)
        tallies = train_epoch(
            forward, session.loss_fn, settings.build(model), session.config.optimizer.build(model),
            session.schedule, small_batches(session), step=0, before_update=guard,
        )  # fmt: skip
        try:
            for tally in islice(tallies, NUM_FIRST_UPDATES + 1):
                totals.append(tally.loss + tally.penalty)
                if totals[-1] > MOST_GROWTH * max(totals[0], chance_loss(session)):
                    return False, totals
        except NotFiniteError:
            return False, [*totals, math.inf]
    return True, totals


def small_batches(session: Session) -> Iterator[Batch]:
    """Yield a part of each of the first epoch's minibatches, again and again; each is an update."""
    while True:
        for one in session.batches.epoch(0):
            yield Batch(one.images_BCHW[:MOST_FIRST_IMAGES], one.labels_B[:MOST_FIRST_IMAGES])
