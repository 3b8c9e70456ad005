"""The lock of a run directory: one process at a time trains in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from ..errors import LockedError, UsageError
from ..machine.file_lock import acquire, is_held
from ..machine.regular_file import read_regular

LOCK = ".lock"


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Keep every other process from training in a run while the block runs.

    The lock belongs to the process and ends with it, however it ends. Raises LockedError, which
    names the holder, where another process has it.
    """
    holder = run_dir / ".lock-holder"

    def refuse() -> NoReturn:
        pid = "unknown"
        with suppress(OSError, ValueError):
            pid = str(int(read_regular(holder, 20)))
        raise LockedError(
            f"{run_dir}: locked by process {pid}, which is training in it; wait for it, or stop it"
        ) from None

    try:
        lock = acquire(run_dir / LOCK, when_busy=refuse)
    except OSError as problem:
        raise UsageError(
            f"{run_dir}: cannot write in this run directory ({problem.strerror})"
        ) from None
    with lock:
        try:
            with suppress(OSError):  # it only helps others to a better message
                holder.unlink(missing_ok=True)  # a pipe would wait for its reader
                holder.write_text(f"{os.getpid()}\n", "utf-8")
            yield
        finally:
            with suppress(OSError):
                holder.unlink(missing_ok=True)


def is_locked(run_dir: Path) -> bool:
    """Tell whether a process is training in a run."""
    return is_held(run_dir / LOCK)
