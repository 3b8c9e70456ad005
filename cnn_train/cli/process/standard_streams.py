"""The three standard streams, made safe to use: closed, full, gone, or of a smaller alphabet."""

import errno
import io
import os
import sys
from typing import NoReturn


def prepare_streams() -> None:
    """Let nothing that stdout or stderr is connected to end a run that could go on.

    A closed descriptor is taken by the null device, so that no file of ours gets its number and
    with it what libraries print. Letters that the stream's encoding lacks are written as escapes.
    What stderr cannot take (a full disk, a terminal that hung up) is dropped: it is only talk.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number: this one
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    own = sys.__stderr__  # a test, or a program that embeds this one, may have put another there
    if own is not None and sys.stderr is own:
        sys.stderr = ForgivingStream(
            own.buffer, own.encoding, "backslashreplace", line_buffering=True
        )


class ForgivingStream(io.TextIOWrapper):
    """A stream whose loss hurts nobody; only a reader that is gone (``| head``) is an error."""

    def write(self, text: str) -> int:
        """Write ``text``, or drop it."""
        try:
            return super().write(text)
        except OSError as problem:
            _reraise_if_reader_is_gone(problem)
            return len(text)

    def flush(self) -> None:
        """Flush, or leave it."""
        try:
            super().flush()
        except OSError as problem:
            _reraise_if_reader_is_gone(problem)


def _reraise_if_reader_is_gone(problem: OSError) -> None:
    if problem.errno == errno.EPIPE:
        raise problem


def abandon_output(exit_code: int) -> NoReturn:
    """Exit without another attempt to write what is still in a stream's buffer."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    sys.exit(exit_code)
