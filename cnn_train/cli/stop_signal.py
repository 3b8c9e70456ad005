"""Ctrl-C asks a run to save and stop; a second Ctrl-C ends it at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import InterruptedRun
from .console import notice


@contextmanager
def stop_on_signal(
    agree: Callable[[int], int] = lambda heard: heard,
) -> Iterator[Callable[[], bool]]:
    """Yield a question, "should the run stop?", that Ctrl-C or SIGTERM answers with yes.

    A run that stopped for it exits as programs do that end by the signal: 130 or 143. ``agree``
    turns the signal heard here (0: none) into the one that counts for all processes of a run.
    """
    asked = agreed = 0

    def ask(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = signum
        notice("stopping after this minibatch; Ctrl-C again to stop at once without saving")

    def should_stop() -> bool:
        nonlocal agreed
        agreed = agree(asked)
        return agreed > 0

    previous = {name: signal.signal(name, ask) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield should_stop
    except InterruptedRun as stop:
        stop.exit_code = 128 + (agreed or signal.SIGINT)
        raise
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)
