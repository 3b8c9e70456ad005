"""Vanilla gradient descent against minibatch SGD: the same rule, fed with more or fewer images.

    vanilla      g = 1/N Σ over all N images      θ ← θ − η g      one update per pass
    minibatch    g = 1/B Σ over B of them         θ ← θ − η g      N/B updates per pass

Update for update, the full sum goes down more surely. By the clock it loses: while it adds up one
gradient, the minibatches have made N/B steps, each with a gradient that points nearly the same way.
"""

from dataclasses import asdict, dataclass
from typing import Any

from ..session import Session
from .timed_training import Curve, loss_of_all, plain_session, train_for


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
    """Train both ways for about ``seconds`` each; the session's config says all else."""
    minibatch_size = session.config.batch_size
    vanilla, minibatch = (
        plain_session(session, size, num_images) for size in (None, minibatch_size)
    )
    first_loss = loss_of_all(vanilla)
    return Race(
        num_images=len(vanilla.batches.images),
        lr=session.config.optimizer.lr,
        vanilla=train_for(vanilla, seconds, first_loss),
        minibatch=train_for(minibatch, seconds, first_loss),
    )
