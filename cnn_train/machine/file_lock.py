"""A lock that other processes of this machine see, and that ends with the process that has it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout


def acquire(path: Path, when_busy: Callable[[], object]) -> AbstractContextManager[object]:
    """Take the lock, which the ``with`` block of the answer gives back.

    Where another process has it, call ``when_busy``, which says so or raises, and wait. Raises
    OSError or NotImplementedError where there can be no lock.
    """
    lock = FileLock(path)
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        when_busy()
        return lock.acquire()
