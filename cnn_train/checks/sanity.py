"""Four checks before a long run, which take seconds.

Each works on a copy of the network and restores the random generators: the run computes the same
bits with and without them.
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

from ..data.batches import Batch
from ..errors import counted, name_some, refusals_explained
from ..losses.loss import LossFn
from ..losses.regularization import NoRegularizationConfig
from ..machine.device import with_autocast
from ..models.fine_tuning import train_mode
from ..optim.adamw import AdamWConfig
from ..random_streams import same_dropout
from ..training.loop import Forward, train_epoch
from ..training.session import Session
from ..training.update_guard import gradient_norm

NEAR_CHANCE = 0.25
"""How far the first loss may lie from chance, as a share of it; the zoo starts within 11 %."""

NUM_OVERFIT_IMAGES = 20
MOST_OVERFIT_STEPS = 300
OVERFIT_RATE = 3e-3
OVERFIT_SHARE_OF_CHANCE = 0.2
"""The images are learned by heart when all are right and the loss is below this share of chance."""

MOST_PENALTY = 10
"""How many times the loss of guessing λR(W) may be."""

TOO_LARGE_LAMBDA = "regularization.strength (λ) is too large: λR(W) outweighs the data loss"

WRONG_BACKWARD = "its backward pass is wrong (`cnn-train gradcheck` tells)"


@dataclass(frozen=True)
class Finding:
    """The result of one check; ``meaning`` is what its failure usually means, "" without one."""

    check: str
    outcome: Literal["passed", "failed", "skipped"]
    found: str
    meaning: str = ""

    @classmethod
    def judged(cls, check: str, passed: bool, found: str, meaning: str) -> "Finding":
        """Say whether the check passed; only a failure keeps its meaning."""
        return cls(check, "passed", found) if passed else cls(check, "failed", found, meaning)

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
        """Whether the loss is that of a network which prefers no class: about that of guessing."""
        return abs(self.loss - self.chance) <= NEAR_CHANCE * self.chance


def check_sanity(session: Session, *, starts_anew: bool = True) -> list[Finding]:
    """Make all checks. ``starts_anew``: the weights are drawn, not those of another model."""
    return [
        check_initial_loss(session, starts_anew=starts_anew),
        check_gradients(session),
        check_regularization(session),
        check_overfitting(session),
    ]


@contextmanager
def untouched(session: Session) -> Iterator[tuple[nn.Module, Forward]]:
    """Yield a copy of the network in training mode, and its forward pass."""
    model = train_mode(deepcopy(session.model))
    with same_dropout(session.config.seed), refusals_explained():
        yield model, with_autocast(model, session.device, session.precision)


def measure_initial_loss(session: Session) -> InitialLoss:
    """Return the loss of the first minibatch (one forward pass) over all processes.

    All images count alike, whatever the weights: a few of a rare class say little about chance.
    """
    batch, loss_fn = next(session.batches.epoch(0)), session.config.loss.build()
    with untouched(session) as (_, forward), torch.no_grad():
        loss = loss_fn(forward(batch.images_BCHW), batch.labels_B)
    num = len(batch.labels_B)
    loss_sum, num_examples = session.world.sum([float(loss) * num, num])
    return InitialLoss(loss_sum / num_examples, chance_loss(session))


def chance_loss(session: Session) -> float:
    """Return the loss of guessing, on average."""
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
    return Finding.judged("initial loss", is_right, found, meaning)


def check_gradients(session: Session) -> Finding:
    """Look for gradients of the data loss that are missing or zero, and any that are not finite."""
    batch = next(session.batches.epoch(0))
    with untouched(session) as (model, forward):
        gradients = data_gradients(session, model, forward, batch)
        broken = [n for n, g in gradients.items() if g is not None and not g.isfinite().all()]
        silent = silent_among(gradients)
        # λR(W) comes second, because it gives a gradient to layers that the data do not reach
        penalty = session.config.regularization.build(model)()
        if penalty.requires_grad:
            penalty.backward()  # type: ignore[no-untyped-call]
        norm = float(gradient_norm(list(model.parameters()), 0))
        # the gradients of all images may cancel out: try again without the first
        if silent and len(batch.labels_B) > 2:
            fewer = Batch(batch.images_BCHW[1:], batch.labels_B[1:])
            still = silent_among(data_gradients(session, model, forward, fewer))
            silent = [name for name in silent if name in still]
    meaning = "not finite: an overflow or a 0/0"
    found = f"finite and not zero in all {len(gradients)} tensors"
    if broken:
        found = f"not finite in {name_some(broken)}"
    elif silent:
        found, meaning = f"zero in {name_some(silent)}", meaning_of_silence(silent)
    elif not math.isfinite(norm):
        found, meaning = "finite, but not together with that of λR(W)", TOO_LARGE_LAMBDA
    is_right = math.isfinite(norm) and not silent
    return Finding.judged("gradients", is_right, found, meaning)


def data_gradients(
    session: Session, model: nn.Module, forward: Forward, batch: Batch
) -> dict[str, Tensor | None]:
    """Return the gradient of the data loss of every trained tensor, by name."""
    model.zero_grad(set_to_none=True)
    loss = session.loss_fn(forward(batch.images_BCHW), batch.labels_B)
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in model.named_parameters() if p.requires_grad}


def silent_among(gradients: dict[str, Tensor | None]) -> list[str]:
    """Name the tensors without a gradient, or with one of zeros."""
    return [name for name, g in gradients.items() if g is None or not g.any()]


def meaning_of_silence(silent: list[str]) -> str:
    """Say what a zero gradient probably means: of a bias alone, not that the layer is dead."""
    weights = [f"{name.removesuffix('bias')}weight" for name in silent]
    if all(name.endswith("bias") for name in silent) and not set(weights) & set(silent):
        return (
            f"zero in a bias alone: no layer is dead, but it changes nothing, or {WRONG_BACKWARD}"
        )
    return f"zero: a layer is dead or not connected to the loss, or {WRONG_BACKWARD}"


def check_regularization(session: Session) -> Finding:
    """Check that λR(W) is above zero, grows with λ and is not far larger than the data loss."""
    settings = session.config.regularization
    strength = getattr(settings, "strength", 0.0)
    meaning = "no weight is penalised, or λR(W) does not reach the loss"
    if not strength:
        return Finding("regularisation", "skipped", "λ is 0")
    with untouched(session) as (model, _), torch.no_grad():
        both = (settings.model_copy(update={"strength": n * strength}) for n in (1, 10))
        once, ten_times = (float(scaled.build(model)()) for scaled in both)
    grows, chance = 0 < once < ten_times, chance_loss(session)
    found = f"adds {once:.4g} to the loss, {ten_times:.4g} with 10 λ"
    if not once <= MOST_PENALTY * chance:
        grows, meaning = False, TOO_LARGE_LAMBDA
        found = f"adds {once:.4g} to the loss; guessing costs {chance:.4g}"
    return Finding.judged("regularisation", grows, found, meaning)


def check_overfitting(session: Session) -> Finding:
    """Train on a few images until all are right, without λ and smoothing, which hinder that."""
    batch, chance = few_images(session), chance_loss(session)
    num, learned, found = len(batch.labels_B), False, ""
    with untouched(session) as (model, forward):
        tallies = train_epoch(
            forward, loss_with_hard_targets(session), NoRegularizationConfig().build(model),
            AdamWConfig(lr=OVERFIT_RATE, weight_decay=0).build(model), lambda _: 1.0,
            repeat(batch, MOST_OVERFIT_STEPS), step=0,
        )  # fmt: skip
        for steps, tally in enumerate(tallies):
            loss, num_correct = tally.loss, int(tally.num_correct)
            found = (
                f"after {counted(steps, 'update')} {num_correct} of {num} right, loss {loss:.3g}"
            )
            learned = num_correct == num and loss < OVERFIT_SHARE_OF_CHANCE * chance
            if learned:
                break
    check, found = f"{counted(num, 'image')} by heart", f"{found} (Adam at {OVERFIT_RATE:g}, no λ)"
    meaning = "labels do not belong to their images, or the network is too small or computed wrong"
    return Finding.judged(check, learned, found, meaning)


def few_images(session: Session) -> Batch:
    """Take images from all over the training set, which may be sorted by class."""
    images = session.batches.images
    index_B = torch.linspace(0, len(images) - 1, min(NUM_OVERFIT_IMAGES, len(images)))
    images_BCHW, labels_B = images.take(index_B.long())
    return Batch(session.batches.normalization(images_BCHW), labels_B)


def loss_with_hard_targets(session: Session) -> LossFn:
    """Return the run's loss without label smoothing."""
    loss = session.config.loss
    if "label_smoothing" in type(loss).model_fields:
        loss = loss.model_copy(update={"label_smoothing": 0.0})
    return loss.build()
