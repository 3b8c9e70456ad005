"""The learning rate over time, as a factor on the optimiser's ``lr``.

Updates ("steps") count from 0. Epochs count from the start of training, warm-up included; the
progress of a decay runs from 0 at the end of warm-up to 1 after the last update.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ..config.base import Config

Schedule = Callable[[int], float]
"""Returns the factor on the learning rate at an update."""


@dataclass(frozen=True)
class Pace:
    """The updates of an epoch: ``first`` of them, and from epoch ``change`` on ``later``."""

    first: int
    later: int = 1
    change: float = math.inf

    def steps(self, epochs: float) -> int:
        """Return the updates that ``epochs`` from the start take, rounded."""
        early = min(epochs, self.change)
        return round(early * self.first + (epochs - early) * self.later)

    def epoch(self, step: int) -> float:
        """Return the epochs that ``step`` updates take."""
        early = self.change * self.first
        return step / self.first if step <= early else self.change + (step - early) / self.later


class ScheduleConfig(Config, ABC):
    """Settings of one schedule, each with an optional linear warm-up."""

    name: str
    warmup_epochs: float = Field(
        default=0.0,
        ge=0,
        description="epochs over which the rate climbs from near zero to the schedule's first, ≥ 0",
    )

    @abstractmethod
    def factor(self, progress: float, epoch: float) -> float:
        """Return the factor without warm-up, at this progress in [0, 1] and this epoch."""

    def change_epochs(self) -> tuple[float, ...]:
        """Return the first epochs, from 0, at which the rate jumps; empty if it never does."""
        return ()

    def warnings(self) -> list[str]:
        """Name what is set without effect."""
        return []

    def build(self, total_steps: int, pace: Pace) -> Schedule:
        """Build the factor as a function of the step.

        Warm-up takes the w steps of ``warmup_epochs``; step s of it has the factor (s + 1) / w,
        times the schedule's own.
        """
        warmup_steps = pace.steps(self.warmup_epochs)
        decay_steps = max(total_steps - warmup_steps, 1)

        def schedule(step: int) -> float:
            progress = min(max(step - warmup_steps, 0) / decay_steps, 1.0)
            warm_up = min((step + 1) / warmup_steps, 1.0) if warmup_steps else 1.0
            return warm_up * self.factor(progress, pace.epoch(step))

        return schedule


Gamma = Annotated[
    float, Field(gt=0, lt=1, description="what each drop multiplies the rate by, in (0, 1)")
]
FinalFactor = Annotated[
    float, Field(ge=0, le=1, description="rate after the last update as a share of lr, in [0, 1]")
]


class ConstantConfig(ScheduleConfig):
    """The same rate throughout."""

    name: Literal["constant"] = "constant"

    def factor(self, progress: float, epoch: float) -> float:
        """Return 1."""
        return 1.0


class StepConfig(ScheduleConfig):
    """Multiply the rate by ``gamma`` every ``step_epochs``."""

    name: Literal["step"] = "step"
    step_epochs: int = Field(default=10, ge=1, description="epochs between two drops, ≥ 1")
    gamma: Gamma = 0.1

    def factor(self, progress: float, epoch: float) -> float:
        """Return gamma to the power of the drops so far."""
        return self.gamma ** math.floor(epoch / self.step_epochs)

    def change_epochs(self) -> tuple[float, ...]:
        """Return the first drop."""
        return (self.step_epochs,)


class MultistepConfig(ScheduleConfig):
    """Multiply the rate by ``gamma`` at each milestone."""

    name: Literal["multistep"] = "multistep"
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(15, 25),
        strict=False,
        min_length=1,
        description="epochs completed before each drop, each ≥ 1",
    )
    gamma: Gamma = 0.1

    def factor(self, progress: float, epoch: float) -> float:
        """Return gamma to the power of the milestones passed."""
        return self.gamma ** sum(epoch >= milestone for milestone in self.milestones)

    def change_epochs(self) -> tuple[float, ...]:
        """Return the milestones."""
        return self.milestones


class LinearConfig(ScheduleConfig):
    """Lower the rate by the same amount at every step."""

    name: Literal["linear"] = "linear"
    final_factor: FinalFactor = 0.0

    def factor(self, progress: float, epoch: float) -> float:
        """Return a straight line from 1 to ``final_factor``."""
        return 1 - progress + progress * self.final_factor


class CosineConfig(ScheduleConfig):
    """Lower the rate along half a cosine wave, or several (Loshchilov and Hutter, 2017)."""

    name: Literal["cosine"] = "cosine"
    final_factor: FinalFactor = 0.0
    restart_epochs: int = Field(
        default=0,
        ge=0,
        description="epochs of the first half wave after warm-up, at whose end the rate jumps up "
        "and the next one begins (warm restarts); 0: one half wave over the whole training",
    )
    restart_growth: float = Field(
        default=1.0, ge=1, description="length of each half wave as a multiple of the last, ≥ 1"
    )
    restart_gamma: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="what each restart multiplies the height of the half wave by, in (0, 1]",
    )

    def factor(self, progress: float, epoch: float) -> float:
        """Return half a cosine wave from 1 to ``final_factor``, over all or since a restart."""
        if not self.restart_epochs:
            return self.half_wave(progress)
        since, height = max(epoch - self.warmup_epochs, 0.0), 1.0
        length = float(self.restart_epochs)
        while since > length - 1e-9:  # an epoch is a rounded number of updates
            since, length = since - length, length * self.restart_growth
            height *= self.restart_gamma
        return self.half_wave(since / length, height)

    def half_wave(self, progress: float, height: float = 1.0) -> float:
        """Return the point of a half wave that ends at ``final_factor``."""
        fallen = (1 + math.cos(math.pi * progress)) / 2
        return self.final_factor + (1 - self.final_factor) * height * fallen

    def change_epochs(self) -> tuple[float, ...]:
        """Return the first restart."""
        return (self.warmup_epochs + self.restart_epochs,) if self.restart_epochs else ()

    def warnings(self) -> list[str]:
        """Name what says how restarts are where there are none."""
        names = "restart_growth", "restart_gamma"
        return [*self.without_effect("schedule", "restart_epochs", *names)]


class TriangularConfig(ScheduleConfig):
    """Climb to ``lr`` in a straight line, then fall in another; defaults as in airbench's 94%."""

    name: Literal["triangular"] = "triangular"
    peak_fraction: float = Field(
        default=0.23, gt=0, lt=1, description="progress at which the rate is lr, in (0, 1)"
    )
    start_factor: float = Field(
        default=0.2, ge=0, le=1, description="first rate as a share of lr, in [0, 1]"
    )
    final_factor: FinalFactor = 0.07

    def factor(self, progress: float, epoch: float) -> float:
        """Return the height of the triangle."""
        if progress < self.peak_fraction:
            climbed = progress / self.peak_fraction
            return self.start_factor + climbed * (1 - self.start_factor)
        fallen = (progress - self.peak_fraction) / (1 - self.peak_fraction)
        return 1 - fallen * (1 - self.final_factor)


SCHEDULES: dict[str, type[ScheduleConfig]] = {
    "constant": ConstantConfig,
    "step": StepConfig,
    "multistep": MultistepConfig,
    "linear": LinearConfig,
    "cosine": CosineConfig,
    "triangular": TriangularConfig,
}
