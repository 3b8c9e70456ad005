"""Worker processes that always end: also where one is killed or hangs, or where we are killed.

Not a ProcessPoolExecutor: where a process is killed while it sends a result, the executor waits
for ever for the rest, because all share one pipe. Here each has a pipe and a thread. Nor a Process
of multiprocessing: it runs the user's script once more, and prints a traceback where we are ended
before it has started.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from subprocess import Popen
from typing import Any

from ...errors import ResourceError

SILENT_SECONDS = 600.0  # the largest image that is allowed takes 12 on a core of a busy machine
CODE = f"import sys; sys.path[:] = sys.argv[2:]; from {__name__} import serve; serve(sys.argv[1])"
VARIABLES = {"OPENBLAS_NUM_THREADS": "1"}

Worker = tuple[Popen[bytes], Connection]
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
            process.wait()
            connection.close()


def _start(workers: list[Worker], number: int) -> bool:
    """Start ``workers`` and wait until they are ready; False where that is not possible."""
    is_python = Path(sys.executable or "").name.lower().startswith("python")  # not another program
    if not is_python:
        return False
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for us alone
    try:
        for _ in range(number):
            ours, theirs = Pipe()
            with theirs:
                end = theirs.fileno()
                command = [sys.executable, "-c", CODE, str(end), *sys.path]
                process = Popen(command, pass_fds=[end], env=os.environ | VARIABLES)
            workers.append((process, ours))
    except OSError:
        return False
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    with suppress(EOFError, OSError):
        return all(ours.poll(SILENT_SECONDS) and ours.recv() for _, ours in workers)
    return False


def serve(end: str) -> None:
    """Answer every request at our ``end`` of a pipe until the parent ends, however it ends."""
    connection = Connection(int(end))
    with suppress(EOFError, OSError):
        connection.send(True)
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
        code = process.wait()
        if code >= 0:  # it printed a traceback
            raise RuntimeError(f"a process that decodes images ended with {code}") from problem
        raise ResourceError(
            f"a process that decodes images was killed ({signal.Signals(-code).name}), perhaps "
            "for lack of memory; free some and start again"
        ) from problem
    if isinstance(answer, Exception):
        raise answer
    return answer
