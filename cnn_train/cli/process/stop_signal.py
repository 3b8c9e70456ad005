"""Ctrl-C or SIGTERM asks a run to save and stop, SIGUSR1 to save; a second one ends it at once."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

from ...errors import InterruptedRun
from ..console import notice

SAVE_SIGNAL = getattr(signal, "SIGUSR1", None)  # Windows has none

Agree = Callable[[int], int]


class SignalsHeard:
    """What was asked of the run by signals, as all of its processes agree on it."""

    def __init__(self, agree_to_stop: Agree, agree_to_save: Agree) -> None:
        self._agree_to_stop, self._agree_to_save = agree_to_stop, agree_to_save
        self._asked_to_stop = 0
        self._asked_to_save = False
        self.stopped_by = 0
        """The signal that all processes stop for; 0: none yet."""

    def should_stop(self) -> bool:
        """Say whether to save and stop."""
        self.stopped_by = self._agree_to_stop(self._asked_to_stop)
        return self.stopped_by > 0

    def should_save(self, is_due: bool) -> bool:
        """Say whether to save and go on: for SIGUSR1, or because the clock says so here."""
        save = self._agree_to_save(int(self._asked_to_save or is_due)) > 0
        if save:
            self._asked_to_save = False
        return save

    def hear_stop(self, signum: int, frame: FrameType | None) -> None:
        """Remember the request; the second one ends the program."""
        if self._asked_to_stop:
            raise KeyboardInterrupt
        self._asked_to_stop = signum
        notice("stopping after this minibatch; Ctrl-C again to stop at once without saving")

    def hear_save(self, signum: int, frame: FrameType | None) -> None:
        """Remember the request."""
        self._asked_to_save = True
        notice("saving after this minibatch")


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Any]) -> Iterator[None]:
    """Let these handlers answer their signals while the block runs."""
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def save_signal_harmless() -> AbstractContextManager[None]:
    """Let SIGUSR1, which would end the process, do nothing while there is nothing to save."""
    return _handled({SAVE_SIGNAL: signal.SIG_IGN} if SAVE_SIGNAL else {})


@contextmanager
def heard_signals(
    agree_to_stop: Agree = lambda heard: heard, agree_to_save: Agree = lambda heard: heard
) -> Iterator[SignalsHeard]:
    """Yield what Ctrl-C, SIGTERM and SIGUSR1 ask for while the block runs.

    A run that stopped for one exits as programs do that end by the signal: 130 or 143. The two
    functions turn what is heard here (0: nothing) into what counts for all processes of a run.
    """
    heard = SignalsHeard(agree_to_stop, agree_to_save)
    handlers = {signal.SIGINT: heard.hear_stop, signal.SIGTERM: heard.hear_stop}
    if SAVE_SIGNAL is not None:
        handlers[SAVE_SIGNAL] = heard.hear_save
    try:
        with _handled(handlers):
            yield heard
    except InterruptedRun as stop:
        stop.exit_code = 128 + (heard.stopped_by or signal.SIGINT)
        raise


def ended_by_sigterm() -> AbstractContextManager[None]:
    """Let SIGTERM end the program as Ctrl-C does where there is nothing to save: exit code 143.

    What is open is closed on the way out, and child processes end; a second SIGTERM does not wait.
    """

    def end(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise SystemExit(128 + signum)

    return _handled({signal.SIGTERM: end})
