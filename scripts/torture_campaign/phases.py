"""The phases of a run, and what can be done to a run that has just come to one of them."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PHASES = {
    "start-up": ("cnn_train.training.run", "build_session"),
    "data decoding": ("cnn_train.data.images.decoding", "load_image"),
    "training": ("cnn_train.training.loop", "set_learning_rate"),
    "evaluation": ("cnn_train.training.session", "measure"),
    "save": ("os", "fsync"),
}
"""The function that each phase is known by, where its caller looks it up."""


def at_phase(phase: str, nth: int, act: Callable[[], None]) -> None:
    """Call ``act`` in this process before the ``nth`` call of the phase's function, from 1."""
    module_name, name = PHASES[phase]
    module: Any = __import__(module_name, fromlist=[name])
    real, seen = getattr(module, name), 0

    def watched(*positional: Any, **named: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == nth:
            act()
        return real(*positional, **named)

    setattr(module, name, watched)


def die_at(phase: str, nth: int) -> None:
    """End by SIGKILL there."""
    at_phase(phase, nth, lambda: os.kill(os.getpid(), signal.SIGKILL))


def linger_at(phase: str, nth: int, file: str, seconds: float) -> None:
    """Make ``file`` there, so that another process knows, and stay for some seconds."""

    def linger() -> None:
        Path(file).touch()
        time.sleep(seconds)

    at_phase(phase, nth, linger)
