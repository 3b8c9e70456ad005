"""The loop: forward pass, backward pass, update.

Everything else wraps the iterables that go in or consumes the generators that come out. Nothing
here waits for the device.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from ..data.batches import Batch
from ..losses.loss import LossFn
from ..losses.regularization import Penalty
from ..metrics.tally import Tally
from ..optim.schedules import Schedule

Forward = Callable[[Tensor], Tensor]


def train_epoch(
    forward: Forward,
    loss_fn: LossFn,
    penalty: Penalty,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    batches: Iterable[Batch],
    step: int,
    before_update: Callable[[Tensor], None] = lambda loss: None,
    note: Callable[[Batch, Tensor], None] = lambda batch, scores_BK: None,
) -> Iterator[Tally]:
    """Train on ``batches`` from ``step`` of the schedule on; yield each minibatch's tally.

    θ ← θ − η ∇(mean loss + λR(θ)). A minibatch with a share below 1 adds its part to the gradient,
    and the last one of the group makes the update: so full-batch descent fits in memory.
    ``before_update`` gets the total loss once the gradient is complete, to clip or refuse it.
    ``note`` gets every minibatch with its scores.
    """
    for batch in batches:
        scores_BK = forward(batch.images_BCHW)
        loss = data_loss(loss_fn, scores_BK, batch)
        note(batch, scores_BK.detach())
        regularization = penalty()
        total = loss + regularization
        (total * batch.share).backward()  # type: ignore[no-untyped-call]
        if batch.completes_update:
            before_update(total)
            set_learning_rate(optimizer, schedule(step))
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
        yield Tally.of(loss, regularization, scores_BK, batch.labels_B)


def data_loss(loss_fn: LossFn, scores_BK: Tensor, batch: Batch) -> Tensor:
    """Return the mean loss; an image that holds two classes is charged for both, by its shares."""
    if batch.mixed is None:
        return loss_fn(scores_BK, batch.labels_B)
    first_B = loss_fn(scores_BK, batch.labels_B, "none")
    second_B = loss_fn(scores_BK, batch.mixed.labels_B, "none")
    return (first_B + batch.mixed.share_B * (second_B - first_B)).mean()


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set each group's rate to ``factor`` times the rate it was built with."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


@torch.no_grad()
def measure(
    forward: Forward, loss_fn: LossFn, batches: Iterable[Batch], num_classes: int = 0
) -> Tally:
    """Return the tally of ``batches`` without training; the caller has set eval mode."""
    total = Tally.zero()
    for batch in batches:
        scores_BK = forward(batch.images_BCHW)
        loss = loss_fn(scores_BK, batch.labels_B)
        no_penalty = torch.zeros_like(loss)
        total += Tally.of(loss, no_penalty, scores_BK, batch.labels_B, num_classes)
    return total
