"""Ctrl-C asks a run to save and stop; a second Ctrl-C ends it at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import InterruptedRun
from .console import notice


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Yield a question, "should the run stop?", that Ctrl-C or SIGTERM answers with yes.

    A run that stopped for it exits as programs do that end by the signal: 130 or 143.
    """
    asked: int | None = None

    def ask(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = signum
        notice("stopping after this minibatch; Ctrl-C again to stop at once without saving")

    previous = {name: signal.signal(name, ask) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked is not None
    except InterruptedRun as stop:
        stop.exit_code = 128 + (asked or signal.SIGINT)
        raise
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)
