"""Run a function in a child, one system call after the other, and end it at the n-th.

ptrace(2) through ctypes, without reading any register: the same on every Linux processor. The
tracer must have one thread: it is a child of the fork server.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

TRACE_ME, CONTINUE_TO_SYSTEM_CALL, SET_OPTIONS = 0, 24, 0x4200
TELL_SYSTEM_CALLS, KILL_WITH_TRACER = 0x1, 0x100000
SYSTEM_CALL_STOP = signal.SIGTRAP | 0x80


class TracingNotPermittedError(OSError):
    """This system does not let a process trace its child."""


def _ptrace(request: int, pid: int, data: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, pid, None, data) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")


def run_to_stop(function: Callable[[], None], number: int) -> bool:
    """Call ``function`` in a child and kill it at its ``number``-th stop; False if it ended before.

    A system call stops it twice: before it is made, and when it is done. Raises
    TracingNotPermittedError where that is not allowed.
    """
    if sys.platform != "linux":
        raise TracingNotPermittedError(f"no tracing on {sys.platform}")
    pid = os.fork()
    if pid == 0:
        _be_traced(function)
    try:
        _wait_for_start(pid)
        for _ in range(number):
            if not _go_to_next_stop(pid):
                return False
    except OSError:
        os.kill(pid, signal.SIGKILL)
        raise
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


def _be_traced(function: Callable[[], None]) -> None:
    """Wait, traced, for the start; call the function; end at once."""
    try:
        _ptrace(TRACE_ME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        function()
        os._exit(0)
    finally:
        os._exit(1)


def _wait_for_start(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    if not os.WIFSTOPPED(status):
        raise TracingNotPermittedError("this system does not allow ptrace")
    _ptrace(SET_OPTIONS, pid, TELL_SYSTEM_CALLS | KILL_WITH_TRACER)


def _go_to_next_stop(pid: int) -> bool:
    """Let the child run to its next system call, or the end of one; False if it ended."""
    delivered = 0
    while True:
        _ptrace(CONTINUE_TO_SYSTEM_CALL, pid, delivered)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            if os.waitstatus_to_exitcode(status) != 0:
                raise RuntimeError(f"the traced save failed with status {status}")
            return False
        if os.WSTOPSIG(status) == SYSTEM_CALL_STOP:
            return True
        delivered = os.WSTOPSIG(status)
