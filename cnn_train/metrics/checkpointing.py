"""When a run's state is saved and which states stay: functions of its updates and of the clock."""

from typing import Annotated, Literal

from pydantic import Field

from ..config.base import Config

LOG_STEPS = frozenset({0, *(digit * 10**zeros for zeros in range(12) for digit in (1, 2, 5))})
"""0, 1, 2, 5, 10, 20, 50, 100 …: close together at first, where a network changes most."""


class CheckpointConfig(Config):
    """How often the state is saved, and how many states are kept. No setting changes the result."""

    every_epochs: int = Field(
        default=1, ge=1, description="save at the end of every n-th epoch, and of the last"
    )
    every_seconds: float = Field(
        default=300.0,
        ge=0,
        description="in a longer epoch, save also when so much time has passed; 0: never",
    )
    every_steps: int = Field(
        default=0, ge=0, description="save also after every n updates; 0: never"
    )
    keep: int = Field(
        default=2, ge=1, description="newest states to keep, in case the last one is damaged"
    )
    keep_steps: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(),
        strict=False,
        description="updates whose states stay in the run's history/, beside the newest ones: "
        "evaluate RUN@100 uses that of update 100, fit --resume RUN@100 --branch goes on from it",
    )
    keep_history: Literal["none", "log"] = Field(
        default="none",
        description="log: the states of updates 0, 1, 2, 5, 10, 20, 50, 100 … and of the run's end "
        "stay too; none: those of keep_steps alone",
    )

    @property
    def kept_steps(self) -> frozenset[int]:
        """The updates whose states stay; the run's end is one more of a log history."""
        return LOG_STEPS.union(self.keep_steps) if self.keeps_end else frozenset(self.keep_steps)

    @property
    def keeps_end(self) -> bool:
        """Whether the state at the run's end stays, whichever update that is."""
        return self.keep_history == "log"
