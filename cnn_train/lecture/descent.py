"""Vanilla gradient descent against minibatch SGD: the same rule with more or fewer images.

    vanilla      g = 1/N Σ over all N images      θ ← θ − η g      one update per pass
    minibatch    g = 1/B Σ over B of them         θ ← θ − η g      N/B updates per pass

Per update, the full sum lowers the loss more reliably. But in time it loses: while it adds up one
gradient, minibatches make N/B steps, each with a gradient that points in nearly the same direction.
"""

from dataclasses import dataclass

from ..data.dataset import Progress
from ..errors import UsageError
from ..training.session import Session
from .descent_map import NUM_POINTS, DescentMap, Trail, map_descent
from .timed_training import Curve, loss_of_all, plain_session, train_for


@dataclass(frozen=True)
class Race:
    """Both trainings, from the same weights, on the same images, with the same rate.

    surface: the loss of all the images around both ways, if it was asked for.
    """

    num_images: int
    lr: float
    vanilla: Curve
    minibatch: Curve
    surface: DescentMap | None = None


def race(
    session: Session,
    num_images: int,
    seconds: float,
    progress: Progress | None = None,
    num_points: int = NUM_POINTS,
) -> Race:
    """Train both ways for about ``seconds`` each; the session's config says all else.

    With ``progress``, which shows how far it is, the loss around both ways is measured too, at
    ``num_points`` along each side of a square.
    Raises UsageError where the config's minibatch is no smaller than all the images.
    """
    vanilla = plain_session(session, None, num_images)
    batch_size, num_images = session.config.batch_size, len(vanilla.batches.images)
    if batch_size >= num_images:
        raise UsageError(
            f"batch_size {batch_size}: minibatches must be a part of the {num_images:,} images of "
            "the race; take more --images or a smaller one: --set batch_size=…"
        )
    minibatch = plain_session(session, batch_size, num_images)
    first_loss = loss_of_all(vanilla)
    curves, trails = {}, {}
    for name, own in {"vanilla": vanilla, "minibatch": minibatch}.items():
        if progress:
            trails[name] = Trail(own.model)
        curves[name] = train_for(own, seconds, first_loss, vanilla.batches, trails.get(name))
    return Race(
        num_images=num_images,
        lr=session.config.optimizer.lr,
        surface=map_descent(vanilla, trails, progress, num_points) if progress else None,
        **curves,
    )
