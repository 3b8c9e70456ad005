"""Training steps without end, for commands that only look at them, such as ``profile``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

from ..acceleration.allocator import kept_memory
from ..errors import DivergedError, counted
from ..metrics.tally import Tally
from .progress import Progress
from .session import Session
from .update_guard import NotFiniteError

LARGE_PENALTY = 1000.0
"""A new network's data loss is about log K, or K − 1 under hinge: far below such a λR."""


@contextmanager
def divergence_explained(session: Session) -> Iterator[None]:
    """Turn NotFiniteError into DivergedError, which names λ or η, whichever is too large.

    λR of the weights before the first step tells which: later, too large a rate enlarges it too.
    """
    penalty = session.penalty().item()
    try:
        yield
    except NotFiniteError as problem:
        config = session.config
        size = config.batch_size * config.accumulate
        images = "all images" if config.optimizer.full_batch else counted(size, "image")
        what = f"the {problem.what} is not finite with {images} per update"
        advice = "choose a smaller rate: --set optimizer.lr=…"
        if not penalty <= LARGE_PENALTY:  # nan as well
            what += f"; λR(θ) is {penalty:.1e} before the first"
            advice = "choose a smaller λ: --set regularization.strength=…"
        raise DivergedError(f"{what}; {advice}") from None


def endless_steps(session: Session) -> Iterator[Tally]:
    """Yield the tally of step after step, epoch after epoch, however short the epochs are."""
    with kept_memory():
        for epoch in count():
            yield from replace(
                session, progress=Progress(epoch, schedule_step=session.progress.schedule_step)
            ).train_rest_of_epoch()
