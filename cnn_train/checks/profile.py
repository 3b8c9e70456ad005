"""Where the time of a training step goes: by phase, by kind of operation, by operator.

The session's own loop runs. Each part is wrapped so that it notes the time when it ends, after
waiting for the device; the speed is measured separately, without these waits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from statistics import median
from typing import ParamSpec, TypeVar

import torch

from ..machine.device import processor_name
from ..machine.stopwatch import now
from ..metrics.tally import Tally
from ..models.flops import StepFlops, count_flops
from ..training.session import Session
from ..training.steps import divergence_explained, endless_steps
from .operators import GROUP_NAMES, OperatorTime, measure_operators

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

PHASES = {
    "data": "gather, augment, normalise",
    "forward": "scores, loss, λR(W)",
    "backward": "gradients, and their norm",
    "optimizer": "new weights, and their average",
    "metrics": "tallies, gradients dropped",
}
"""The phases of a step in their order, and what belongs to each."""

WARM_UP_STEPS = 3
PROFILED_STEPS = 3
"""The profiler keeps hundreds of events per layer: a few steps are enough."""


@dataclass(frozen=True)
class StepProfile:
    """What one training step costs: the document that ``profile --json`` prints.

    phase_seconds: medians over the steps, waiting after each phase. group_seconds and operators:
    own times per step under the profiler, which slows small operators down. step_seconds and
    images_per_second: of whole steps, nothing measured inside. tflops: operations of convolutions
    and matrix products per second, in 10¹², by their definitions: tiles need fewer.
    """

    device: str
    processor: str
    precision: str
    model: str
    batch_size: int
    num_steps: int
    phase_seconds: dict[str, float]
    group_seconds: dict[str, float]
    operators: tuple[OperatorTime, ...]
    step_seconds: float
    images_per_second: float
    flops_per_image: StepFlops
    tflops: float


def profile_step(session: Session, num_steps: int) -> StepProfile:
    """Train for a few steps, which nothing saves, and say where their time goes.

    Where images grow over the epochs, these steps see them at their full size. Raises
    DivergedError where a loss or gradient is not finite.
    """
    session = replace(session, batches=replace(session.batches, side_px=None))
    device, profiled = session.device.torch_device, min(num_steps, PROFILED_STEPS)
    with divergence_explained(session):
        steps = endless_steps(session)
        for _ in islice(steps, WARM_UP_STEPS):
            pass
        flops = count_flops(session.model, session.batches.images.image_shape)
        seconds, num_images = time_steps(steps, num_steps, device)
        operators = measure_operators(lambda: time_steps(steps, profiled, device), device)
        phase_seconds = time_phases(session, num_steps)
    per_step = [replace(op, seconds=op.seconds / profiled) for op in operators]
    return StepProfile(
        device=str(device),
        processor=processor_name(session.device),
        precision=session.precision.name,
        model=session.config.model.name,
        batch_size=session.config.batch_size,
        num_steps=num_steps,
        phase_seconds=phase_seconds,
        group_seconds=add_up_groups(per_step),
        operators=tuple(per_step),
        step_seconds=seconds / num_steps,
        images_per_second=num_images / seconds,
        flops_per_image=flops,
        tflops=flops.training * num_images / seconds / 1e12,
    )


def time_steps(steps: Iterator[Tally], num_steps: int, device: torch.device) -> tuple[float, int]:
    """Return the seconds of the next steps and how many images they took."""
    started = now(device)
    num_images = sum(tally.num_examples for tally in islice(steps, num_steps))
    return now(device) - started, num_images


def time_phases(session: Session, num_steps: int) -> dict[str, float]:
    """Return each phase's median seconds; the marks between them wait for the device.

    Where gradients accumulate over minibatches, most steps have no optimizer phase: the median
    says 0, and what little follows the backward pass counts as metrics.
    """
    clock = PhaseClock(session.device.torch_device)
    with clock.wrapped_around(session) as steps:
        next(steps)
        recorded = [clock.time(steps) for _ in range(num_steps)]
    return {phase: median(seconds[phase] for seconds in recorded) for phase in PHASES}


def add_up_groups(operators: list[OperatorTime]) -> dict[str, float]:
    """Return the seconds of every kind of operation that took any, the longest first."""
    totals = {name: sum(op.seconds for op in operators if op.group == name) for name in GROUP_NAMES}
    return dict(sorted(((k, v) for k, v in totals.items() if v > 0), key=lambda item: -item[1]))


class PhaseClock:
    """Notes when each phase of a step ends."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.ends: dict[str, float] = {}

    def time(self, steps: Iterator[Tally]) -> dict[str, float]:
        """Take one step; return the seconds of each phase."""
        self.ends.clear()
        end_of_previous = now(self.device)
        next(steps)
        self.mark("metrics")
        seconds = {}
        for phase in PHASES:
            end = self.ends.get(phase, end_of_previous)
            seconds[phase], end_of_previous = end - end_of_previous, end
        return seconds

    def mark(self, phase: str) -> None:
        """Note that ``phase`` ends now; a later mark of the same phase replaces this one."""
        self.ends[phase] = now(self.device)

    @contextmanager
    def wrapped_around(self, session: Session) -> Iterator[Iterator[Tally]]:
        """Yield the steps of a session whose parts mark the ends of their phases."""
        optimizer = session.optimizer
        before = optimizer.register_step_pre_hook(lambda *_: self.mark("backward"))
        after = optimizer.register_step_post_hook(lambda *_: self.mark("optimizer"))
        marked = replace(
            session,
            forward=self._after("forward", session.forward, begins_after="data"),
            loss_fn=self._after("forward", session.loss_fn),
            penalty=self._after("forward", session.penalty),
        )
        with before, after:  # which removes them
            yield endless_steps(marked)

    def _after(
        self, phase: str, call: Callable[P, ResultT], begins_after: str | None = None
    ) -> Callable[P, ResultT]:
        def marked(*args: P.args, **kwargs: P.kwargs) -> ResultT:
            if begins_after:
                self.mark(begins_after)
            result = call(*args, **kwargs)
            self.mark(phase)
            return result

        return marked
