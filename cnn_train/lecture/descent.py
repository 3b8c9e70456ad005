"""Vanilla gradient descent against minibatch SGD: the same rule, fed with more or fewer images.

    vanilla      g = 1/N Σ over all N images      θ ← θ − η g      one update per pass
    minibatch    g = 1/B Σ over B of them         θ ← θ − η g      N/B updates per pass

Update for update, the full sum goes down more surely. By the clock it loses: while it adds up one
gradient, the minibatches have made N/B steps, each with a gradient that points nearly the same way.
"""

from dataclasses import asdict, dataclass
from typing import Any

from ..errors import UsageError
from ..training.session import Session
from .timed_training import Curve, loss_of_all, plain_session, train_for

USUAL_IMAGES = 1024
"""So many are raced with unless the user asks for another number."""


@dataclass(frozen=True)
class Race:
    """Both trainings, from the same weights, on the same images, with the same rate."""

    num_images: int
    lr: float
    vanilla: Curve
    minibatch: Curve

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``learn descent --json`` prints."""
        return asdict(self)


def race(session: Session, num_images: int, seconds: float) -> Race:
    """Train both ways for about ``seconds`` each; the session's config says all else.

    Raises UsageError where the config's minibatch is no smaller than all the images.
    """
    vanilla = plain_session(session, None, num_images)
    check_minibatch(session.config.batch_size, num_images, len(session.batches.images))
    minibatch = plain_session(session, session.config.batch_size, num_images)
    first_loss = loss_of_all(vanilla)
    return Race(
        num_images=len(vanilla.batches.images),
        lr=session.config.optimizer.lr,
        vanilla=train_for(vanilla, seconds, first_loss),
        minibatch=train_for(minibatch, seconds, first_loss),
    )


def check_minibatch(batch_size: int, num_images: int, num_all: int) -> None:
    """Refuse a race of all images against all images; blame what is out of the ordinary."""
    if batch_size < min(num_images, num_all):
        return
    if batch_size < min(USUAL_IMAGES, num_all):
        raise UsageError(
            f"--images {num_images}: minibatches of {batch_size} (batch_size) must be a part of "
            "them; take more images"
        )
    raise UsageError(
        f"batch_size {batch_size}: minibatches must be a part of the "
        f"{min(num_images, num_all):,} images of the race; take a smaller one: --set batch_size=…"
    )
