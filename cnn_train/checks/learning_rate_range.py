"""The learning-rate range test: train while the rate grows from tiny to too large.

Source: L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017,
arXiv:1506.01186, section 3.3; here the rate grows by the same factor at every update.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import pstdev

import torch

from ..errors import DivergedError, UsageError
from ..metrics.tally import Tally
from ..training.session import Session
from ..training.steps import endless_steps
from ..training.update_guard import NotFiniteError

SPREAD = 0.02
"""Standard deviation of the moving mean's weights, as a share of all updates."""

DIVERGED, FEW = 4.0, 3
"""The test ends where the mean of 3 losses in a row is 4 times the lowest such mean."""

CLEAR = 3.0
"""How many standard deviations of a single loss it must fall: the mean of noise falls less."""


@dataclass(frozen=True)
class RateRange:
    """What the loss did while the rate grew: the document that ``find-lr --json`` prints.

    losses: total, data loss + λR, of each update's images before it is made. smoothed: their moving
    mean. lowest: the rate where that is lowest. suggested: the rate where half of this fall is
    done; None: it falls no further than noise would. diverged: where the test ended early.
    """

    model: str
    optimizer: str
    lr: float
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    lowest: float
    suggested: float | None
    diverged: float | None


def find_rate_range(
    session: Session,
    smallest: float,
    largest: float,
    num_updates: int,
    advance: Callable[[int], object] = lambda amount: None,
) -> RateRange:
    """Train for ``num_updates``, which nothing saves, at rates from ``smallest`` to ``largest``.

    The rate is ``optimizer.lr`` under this growth in place of the schedule; all other rates keep
    their ratio to it. Raises UsageError for an empty range, DivergedError without a finite loss.
    """
    if not 0 < smallest < largest < math.inf:
        raise UsageError(f"rates from {smallest:g} to {largest:g}: take two, the first smaller")
    lr, rates, losses = session.config.optimizer.lr, list[float](), list[float]()

    def schedule(step: int) -> float:
        rates.append(smallest * (largest / smallest) ** (len(rates) / (num_updates - 1)))
        return rates[-1] / lr

    batches = replace(session.batches, side_px=None)
    steps = endless_steps(replace(session, schedule=schedule, batches=batches))
    total, is_over = Tally.zero(), False
    try:
        while not is_over and len(losses) < num_updates:
            total += next(steps)
            if len(rates) > len(losses):  # the update is made, of however many minibatches
                losses.append(total.loss + total.penalty)
                total, is_over = Tally.zero(), has_diverged(losses)
                advance(1)
    except NotFiniteError:
        is_over = True
    if losses and not math.isfinite(losses[-1]):  # a GPU's are looked at some updates late
        losses.pop()
    if not losses:
        raise DivergedError(f"no finite loss at a rate of {smallest:g}; see fit --sanity --dry-run")
    smoothed = moving_mean(losses, max(SPREAD * num_updates, 1))
    best = smoothed.index(min(smoothed))
    fall = smoothed[0] - smoothed[best]
    noise = pstdev(map(float.__sub__, losses[: best + 1], smoothed))
    halfway = max(i for i in range(best + 1) if smoothed[i] >= smoothed[0] - fall / 2)
    return RateRange(
        session.config.model.name, session.config.optimizer.name, lr,
        rates=tuple(rates[: len(losses)]),
        losses=tuple(losses),
        smoothed=tuple(smoothed),
        lowest=rates[best],
        suggested=rates[halfway] if fall > CLEAR * noise else None,
        diverged=rates[len(losses) - 1] if is_over else None,
    )  # fmt: skip


def has_diverged(losses: Sequence[float]) -> bool:
    """Tell whether the last loss is not finite, or the last few are far above the best few."""
    means = [sum(losses[i : i + FEW]) / FEW for i in range(len(losses) - FEW + 1)]
    return not math.isfinite(losses[-1]) or (bool(means) and means[-1] > DIVERGED * min(means))


def moving_mean(values: Sequence[float], spread: float) -> list[float]:
    """Return the means with normal weights of this spread around each value: they do not lag."""
    values_N = torch.tensor(values, dtype=torch.float64)
    places_N = torch.arange(len(values), dtype=torch.float64)
    near = ((-0.5 * ((places_N - place) / spread) ** 2).exp() for place in range(len(values)))
    return [float(near_N @ values_N / near_N.sum()) for near_N in near]
