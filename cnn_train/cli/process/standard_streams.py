"""Make the standard streams safe where they are closed, full, disconnected or not UTF-8."""

import errno
import io
import os
import sys
from typing import NoReturn


def prepare_streams() -> None:
    """Keep trouble with stdout or stderr from ending a run that could go on.

    The null device replaces a closed descriptor: otherwise the next file that we open would get
    its number, and what libraries print. Characters that the encoding lacks are escaped.
    What cannot be written to stderr (full disk, closed terminal) is dropped: it is only messages.
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
    """A stream that ignores write errors, except a reader that has ended (``| head``)."""

    def write(self, text: str) -> int:
        """Write ``text``; drop it where that fails."""
        try:
            return super().write(text)
        except OSError as problem:
            if problem.errno == errno.EPIPE:
                raise
            return len(text)

    def flush(self) -> None:
        """Flush; ignore a failure."""
        try:
            super().flush()
        except OSError as problem:
            if problem.errno == errno.EPIPE:
                raise


def abandon_output(exit_code: int) -> NoReturn:
    """Exit without another attempt to write what is still in a stream's buffer."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    sys.exit(exit_code)
