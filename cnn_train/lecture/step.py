"""One training step in detail: forward, backward, update.

    F-pass    scores = f(x, θ),  L = 1/B Σ L_i + λR(θ)
    B-pass    g = dL/dθ, from the loss back through every layer
    update    θ ← θ − η g    (plain SGD; other optimisers use more than g)

What to look at: neither the outputs, from the first layer to the last, nor the gradients, on their
way back, should vanish or explode. And an update should change the weights by about a thousandth of
their size: if it is far more, the rate is too large; if far less, too small.

The step is the session's own, made by the project's training loop; hooks record the numbers. If
gradients add up over several pieces (full-batch descent), the step is that of all pieces.

Shape letters: B minibatch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch

from ..checks.profile import time_phases
from ..errors import DivergedError, refusals_explained
from ..machine.device import with_autocast
from ..metrics.tally import Tally
from ..training.session import Session
from ..training.steps import divergence_explained
from ..training.update_guard import NotFiniteError
from .layer_sizes import LayerSizes, WatchedLayer, norm, watched_layers
from .watched_update import Change, KeepingGuard

TIMED_STEPS = 3

USUAL_RATIO = 1e-3
"""‖Δθ‖/‖θ‖ of an update of a good size: a rule of thumb (CS231n)."""


@dataclass(frozen=True)
class EntryStep:
    """One number of a parameter tensor before and after: ``descent`` is −η g.

    gradient: dL/dθ. clipped_gradient: the g of the update, which clip_grad_norm may have shortened.
    velocity: the optimizer's v before the step; None where it has none.
    """

    parameter: str
    index: tuple[int, ...]
    before: float
    gradient: float
    clipped_gradient: float
    descent: float
    after: float
    velocity: float | None = None


@dataclass(frozen=True)
class TrainingStep:
    """All that one step did, on batch_size images in num_pieces.

    epoch and step: of the run, both from 0. warms_up: whether the schedule's warm-up makes the rate
    smaller. is_over: whether the run had ended, so that it would never have made this step.
    gradient_norm: of dL/dθ. clipped_norm: what clip_grad_norm shortened it to; None if it did not.
    num_plain: how many numbers moved by exactly −η g, in float32, with the shortened g.
    phase_seconds: of one piece of timed_images, and of an update; empty if the steps after this one
    were not finite, and then ``diverges`` says so.
    """

    epoch: int
    step: int
    warms_up: bool
    is_over: bool
    batch_size: int
    num_pieces: int
    lr: float
    lr_factor: float
    loss: float
    penalty: float
    total: float
    num_correct: int
    gradient_norm: float
    clipped_norm: float | None
    layers: tuple[LayerSizes, ...]
    entries: tuple[EntryStep, ...]
    num_numbers: int
    num_plain: int
    timed_images: int
    phase_seconds: dict[str, float] = field(default_factory=dict)
    diverges: str | None = None


def take_step(
    session: Session, num_entries: int, advance: Callable[[int], None] = lambda amount: None
) -> TrainingStep:
    """Make the session's next update as ``fit`` would, and say what happened; then time its phases.

    Of a run that is over, the update after its last, at the same rate. ``advance`` is called after
    every piece. The session's weights change. Raises DivergedError if the loss or the gradient of
    the step is not finite.
    """
    session = with_one_update(at_next_minibatch(session))
    taken: TrainingStep | None = None
    try:
        with divergence_explained(session):
            taken = _take_step(session, num_entries, advance)
            return replace(taken, phase_seconds=time_phases(with_rate_zero(session), TIMED_STEPS))
    except DivergedError as problem:
        if taken is None:
            raise
        return replace(taken, diverges=str(problem))


def _take_step(session: Session, num_entries: int, advance: Callable[[int], None]) -> TrainingStep:
    guard, tally = KeepingGuard(session), Tally.zero()
    with watched_layers(session.model) as watched, refusals_explained():
        for piece in replace(session, before_update=guard).train_rest_of_epoch():
            tally += piece
            advance(1)
    changes = guard.changes(session.optimizer)
    gradient_norm = norm([change.gradient for change in changes.values()]) or 0.0
    if not all(change.after.isfinite().all() for change in changes.values()):
        raise NotFiniteError("weight after the update", gradient_norm, 0)
    plain = [change.plain == change.after for change in changes.values()]
    is_clipped = any(not torch.equal(c.gradient, c.clipped) for c in changes.values())
    clipped_norm = norm([change.clipped for change in changes.values()])
    progress, plan = session.progress, session.batches.plan(session.progress.epoch)
    first = plan[0]
    return TrainingStep(
        epoch=progress.epoch,
        step=progress.step,
        warms_up=progress.schedule_step < session.pace.steps(session.config.schedule.warmup_epochs),
        is_over=session.is_complete,
        batch_size=tally.num_examples,
        num_pieces=len(plan) - progress.position,
        lr=session.optimizer.param_groups[0]["lr"],
        lr_factor=session.schedule(session.progress.schedule_step),
        loss=tally.loss,
        penalty=tally.penalty,
        total=tally.loss + tally.penalty,
        num_correct=int(tally.num_correct),
        gradient_norm=gradient_norm,
        clipped_norm=clipped_norm if is_clipped else None,
        layers=tuple(measure_layer(session, *layer, changes) for layer in watched.items()),
        entries=tuple(choose_entries(changes, num_entries)),
        num_numbers=sum(same.numel() for same in plain),
        num_plain=sum(int(same.sum()) for same in plain),
        timed_images=first.stop - first.start,
    )


def at_next_minibatch(session: Session) -> Session:
    """Begin the next epoch where all minibatches of this one are done; stay at the last rate."""
    progress = replace(session.progress)
    if progress.position >= len(session.batches.plan(progress.epoch)):
        progress.epoch, progress.position = progress.epoch + 1, 0
    if session.is_complete:
        progress.schedule_step = max(progress.schedule_step - 1, 0)
    return replace(session, progress=progress)


def with_one_update(session: Session) -> Session:
    """Cut the epoch down to its next update, without compilation."""
    plan, position = session.batches.plan(session.progress.epoch), session.progress.position
    last = next(i for i, piece in enumerate(plan) if i >= position and piece.completes_update)
    forward = with_autocast(session.model, session.device, session.precision)
    batches = replace(session.batches, plan=lambda epoch: plan[: last + 1])
    return replace(session, batches=batches, forward=forward)


def with_rate_zero(session: Session) -> Session:
    """Make every piece an update at rate 0: it takes as long, and leaves the weights alone."""
    first = replace(session.batches.plan(0)[0], share=1.0, completes_update=True)
    batches = replace(session.batches, plan=lambda epoch: (first,))
    return replace(session, batches=batches, schedule=lambda step: 0.0)


def measure_layer(
    session: Session, name: str, watched: WatchedLayer, changes: dict[str, Change]
) -> LayerSizes:
    """Collect the sizes of one layer."""
    own = [change for key, change in changes.items() if key.rpartition(".")[0] == name]
    weight = norm([change.before for change in own])
    update = norm([change.after - change.before for change in own])
    return LayerSizes(
        name=name,
        kind=type(session.model.get_submodule(name)).__name__,
        output_shape=watched.output_shape,
        output_rms=watched.outputs.rms,
        zeros=watched.outputs.num_zeros / watched.outputs.count,
        output_gradient_rms=watched.gradients.rms if watched.gradients.count else None,
        weight_norm=weight,
        gradient_norm=norm([change.gradient for change in own]),
        update_norm=update,
        update_ratio=update / weight if weight and update is not None else None,
    )


def choose_entries(changes: dict[str, Change], num_entries: int) -> Iterator[EntryStep]:
    """Yield the entry of largest gradient of some tensors, spread from the first to the last."""
    names = list(changes)
    last = len(names) - 1
    spread = [round(i * last / max(num_entries - 1, 1)) for i in range(num_entries)]
    for name in dict.fromkeys(names[i] for i in spread):
        change = changes[name]
        flat = change.gradient.abs().flatten().argmax().cpu()
        index = tuple(int(axis) for axis in torch.unravel_index(flat, change.gradient.shape))
        slopes = float(change.gradient[index]), float(change.clipped[index])
        before, after = float(change.before[index]), float(change.after[index])
        velocity = None if change.velocity is None else float(change.velocity[index])
        yield EntryStep(name, index, before, *slopes, -change.lr * slopes[1], after, velocity)
