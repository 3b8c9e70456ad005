"""A pool of processes that neither a script without a main guard nor Ctrl-C nor a crash upsets."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import current_process, parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from threading import Thread
from types import ModuleType

from ...errors import ResourceError

SILENT_SECONDS = 600.0  # the largest image that is allowed takes 12 on a core of a busy machine
VARIABLES = {
    "PYTHONSAFEPATH": "1",  # a file socket.py where the user works is not the standard library's
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore:resource_tracker",  # which speaks up after a parent that was killed
}


class _Worker(SpawnProcess):
    """A process that starts as :func:`_bare_python` says."""

    def start(self) -> None:
        self.daemon = True  # ended at the latest when this process ends
        with _bare_python():
            super().start()


class _Context(SpawnContext):
    Process = _Worker


@contextmanager
def _bare_python() -> Iterator[None]:
    """Start a Python without the user's script, which would run once more, and without Ctrl-C."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    script, variables = sys.modules["__main__"], dict(os.environ)
    sys.modules["__main__"] = ModuleType("__main__")
    os.environ.update(VARIABLES)
    try:
        yield
    finally:
        for name in VARIABLES.keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables)
        sys.modules["__main__"] = script
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def worker_processes(number: int) -> Iterator[Executor | None]:
    """Start processes, and end them at once with the block; None where this Python cannot.

    Raises ResourceError where the block finds that one of them was killed.
    """
    pool = _make_pool(number)
    try:
        yield pool if pool and _all_answer(pool, number) else None
    except BrokenProcessPool as problem:
        raise ResourceError(
            f"a process that decodes images was killed{_signals(pool)}, perhaps for lack of "
            "memory; free some and start again"
        ) from problem
    finally:
        if pool:
            for process in list(pool._processes.values()):  # pool.kill_workers() in Python 3.14
                process.kill()
            pool.shutdown(cancel_futures=True)


def _make_pool(number: int) -> ProcessPoolExecutor | None:
    is_python = Path(sys.executable or "").name.lower().startswith("python")  # not another program
    if not is_python or current_process().daemon:  # which may have no children
        return None
    try:
        with _bare_python():  # a helper process of multiprocessing's
            return ProcessPoolExecutor(number, _Context(), _end_with_parent)
    except (OSError, NotImplementedError, ImportError):  # a system without shared semaphores
        return None


def _all_answer(pool: ProcessPoolExecutor, number: int) -> bool:
    """Start the processes: one begins with each of the first tasks."""
    try:
        for answer in [pool.submit(os.getpid) for _ in range(number)]:
            answer.result(SILENT_SECONDS)
    except (OSError, BrokenProcessPool):
        return False
    return True


def _end_with_parent() -> None:
    """Watch the parent, from a thread of the worker: however it ends, no worker is left behind."""
    parent = parent_process()
    assert parent

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _signals(pool: ProcessPoolExecutor | None) -> str:
    """Name what ended the processes of a broken pool, which itself ends the others by SIGTERM."""
    codes = [process.exitcode or 0 for process in pool._processes.values()] if pool else []
    names = {signal.Signals(-code).name for code in codes if code < 0} - {"SIGTERM"}
    return f" ({', '.join(names)})" if names else ""
