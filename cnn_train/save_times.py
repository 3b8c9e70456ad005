"""When a run saves, besides at the end: after so many epochs, updates or seconds."""

import time

from .experiment import CheckpointConfig


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
