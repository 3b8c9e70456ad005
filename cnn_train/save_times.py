"""When a run saves, besides at the end: after so many epochs, updates or seconds."""

import time

from pydantic import Field

from .config.base import Config


class CheckpointConfig(Config):
    """How often the state is saved, and how many states are kept. No setting changes the result."""

    every_epochs: int = Field(
        default=1, ge=1, description="save at the end of every so-manieth epoch, and of the last"
    )
    every_seconds: float = Field(
        default=300.0,
        ge=0,
        description="in a longer epoch, save also when so much time has passed; 0: never",
    )
    every_steps: int = Field(
        default=0, ge=0, description="save also after every so-manieth update; 0: never"
    )
    keep: int = Field(
        default=2, ge=1, description="newest states to keep, in case the last one is damaged"
    )


class SaveClock:
    """Knows when the next save within an epoch is due."""

    def __init__(self, config: CheckpointConfig) -> None:
        self._config = config
        self._saved_at = time.monotonic()

    def saved(self) -> None:
        """Count the seconds from now on."""
        self._saved_at = time.monotonic()

    def is_due(self, step: int) -> bool:
        """Say whether update ``step`` or the time since the last save calls for one."""
        every_steps, every_seconds = self._config.every_steps, self._config.every_seconds
        if every_steps and step % every_steps == 0:
            return True
        return every_seconds > 0 and time.monotonic() - self._saved_at >= every_seconds
