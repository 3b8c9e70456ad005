"""Worker processes that always end: also where one is killed or hangs, or where we are killed.

Not a ProcessPoolExecutor: where a process is killed while it sends a result, the executor waits
for ever for the rest, because all share one pipe. Here each has a pipe and a thread.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import current_process, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from types import ModuleType
from typing import Any

from ...errors import ResourceError

SILENT_SECONDS = 600.0  # the largest image that is allowed takes 12 on a core of a busy machine
VARIABLES = {"PYTHONSAFEPATH": "1", "OPENBLAS_NUM_THREADS": "1"}

_reaping = Lock()  # the system tells the end of a process to one thread only

Worker = tuple[SpawnProcess, Connection]
Submit = Callable[..., Future[Any]]


@contextmanager
def worker_processes(number: int) -> Iterator[Submit | None]:
    """Start processes, and end them at once with the block; None where this Python cannot.

    What the block gets takes a function and its arguments, as an executor's ``submit`` does. The
    future raises ResourceError where the process was killed.
    """
    workers: list[Worker] = []
    idle: SimpleQueue[Worker] = SimpleQueue()
    threads = ThreadPoolExecutor(number)

    def ask(*request: Any) -> Any:
        worker = idle.get()
        try:
            return _ask(worker, request)
        finally:
            idle.put(worker)  # a dead one too: whoever gets it must not wait

    try:
        can_work = _start(workers, number)
        for worker in workers:
            idle.put(worker)
        yield partial(threads.submit, ask) if can_work else None
    finally:
        for process, _ in workers:
            process.kill()
        threads.shutdown(cancel_futures=True)
        for process, connection in workers:
            process.join()
            connection.close()


def _start(workers: list[Worker], number: int) -> bool:
    """Start ``workers`` and wait until they are ready; False where that is not possible."""
    is_python = Path(sys.executable or "").name.lower().startswith("python")  # not another program
    if not is_python or current_process().daemon:  # which may have no children
        return False
    context = get_context("spawn")
    try:
        for _ in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            with _bare_python(), theirs:
                process.start()
            workers.append((process, ours))
        return all(ours.poll(SILENT_SECONDS) and ours.recv() for _, ours in workers)
    except (OSError, EOFError):
        return False


@contextmanager
def _bare_python() -> Iterator[None]:
    """Start a Python without the user's script, which would run once more, and without Ctrl-C.

    Nor does it take a file socket.py where the user works for the standard library's.
    """
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


def _serve(connection: Connection) -> None:
    """Answer every request until the parent ends, however it ends."""
    with suppress(EOFError, OSError):
        connection.send("ready")
        while True:
            function, *arguments = connection.recv()
            try:
                answer = function(*arguments)
            except Exception as problem:
                answer = problem
            connection.send(answer)


def _ask(worker: Worker, request: tuple[Any, ...]) -> Any:
    process, connection = worker
    try:
        connection.send(request)
        answer = connection.recv()
    except (EOFError, OSError) as problem:
        with _reaping:
            process.join()
        code = process.exitcode or 0
        if code >= 0:  # it printed a traceback
            raise RuntimeError(f"a process that decodes images ended with {code}") from problem
        raise ResourceError(
            f"a process that decodes images was killed ({signal.Signals(-code).name}), perhaps "
            "for lack of memory; free some and start again"
        ) from problem
    if isinstance(answer, Exception):
        raise answer
    return answer
