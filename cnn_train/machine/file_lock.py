"""A lock against other processes of this machine; it ends with the process that holds it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from os.path import exists  # it never raises
from pathlib import Path

from filelock import FileLock, Timeout


def acquire(path: Path, when_busy: Callable[[], object]) -> AbstractContextManager[object]:
    """Take the lock; use the result in a ``with`` block, which releases it.

    Where another process has it, call ``when_busy``, which says so or raises, and wait. Raises
    OSError or NotImplementedError where there can be no lock.
    """
    lock = FileLock(path, mode=0o666)  # empty; whoever shares the folder may have to take it
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        when_busy()
        return lock.acquire()


def is_held(path: Path) -> bool:
    """Tell whether a process has the lock; none has one that does not exist or cannot be taken."""
    try:
        if exists(path):  # noqa: PTH110
            with FileLock(path, blocking=False):
                pass
    except (OSError, NotImplementedError) as problem:
        return isinstance(problem, Timeout)
    return False
