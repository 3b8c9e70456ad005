"""Worker processes that always end: also where one is killed or hangs, or where we are killed.

Not a ProcessPoolExecutor: where a process is killed while it sends a result, the executor waits
for ever for the rest, because all share one pipe. Here each has its own pipes and a thread. Nor
multiprocessing: its processes run the user's script once more, and print a traceback where we are
ended before they have started.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from select import select
from subprocess import PIPE, Popen
from typing import IO, Any

from ...errors import ResourceError

SILENT_SECONDS = 600.0  # the largest image that is allowed takes 12 on a core of a busy machine
CODE = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import serve; serve()"
VARIABLES = {"OPENBLAS_NUM_THREADS": "1"}

ENDED = (EOFError, OSError)
"""What happens to a message where the other process has ended, perhaps in the middle of it."""

LENGTH_BYTES = 8  # before each message; without it, pickle would wait for what comes after one

Submit = Callable[..., Future[Any]]


@contextmanager
def worker_processes(number: int) -> Iterator[Submit | None]:
    """Start processes, and end them at once with the block; None where this Python cannot.

    What the block gets takes a function and its arguments, as an executor's ``submit`` does. The
    future raises ResourceError where the process was killed.
    """
    workers: list[Popen[bytes]] = []
    idle: SimpleQueue[Popen[bytes]] = SimpleQueue()
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
        for worker in workers:
            worker.kill()
        threads.shutdown(cancel_futures=True)
        for worker in workers:
            with suppress(OSError), worker:  # closes its pipes; what was not sent is lost
                pass


def _start(workers: list[Popen[bytes]], number: int) -> bool:
    """Start ``workers`` and wait until they are ready; False where that is not possible."""
    is_python = Path(sys.executable or "").name.lower().startswith("python")  # not another program
    if not is_python:
        return False
    command = [sys.executable, "-c", CODE, *sys.path]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for us alone
    try:
        for _ in range(number):
            environment = os.environ | VARIABLES
            workers.append(Popen(command, stdin=PIPE, stdout=PIPE, env=environment))
    except OSError:
        return False
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return all(map(_is_ready, workers))


def _is_ready(worker: Popen[bytes]) -> bool:
    assert worker.stdout
    with suppress(*ENDED):
        return bool(select([worker.stdout], [], [], SILENT_SECONDS)[0] and _receive(worker.stdout))
    return False


def serve() -> None:
    """Answer every request on stdin until the parent ends, however it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    with suppress(*ENDED):
        _send(answers, True)
        while True:
            function, *arguments = _receive(sys.stdin.buffer)
            try:
                answer = function(*arguments)
            except Exception as problem:
                answer = problem
            _send(answers, answer)


def _send(pipe: IO[bytes], message: Any) -> None:
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    pipe.write(len(content).to_bytes(LENGTH_BYTES))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    length = int.from_bytes(_read(pipe, LENGTH_BYTES))
    return pickle.loads(_read(pipe, length))


def _read(pipe: IO[bytes], number: int) -> bytes:
    content = pipe.read(number)
    if len(content) < number:
        raise EOFError
    return content


def _ask(worker: Popen[bytes], request: tuple[Any, ...]) -> Any:
    assert worker.stdin and worker.stdout
    try:
        _send(worker.stdin, request)
        answer = _receive(worker.stdout)
    except ENDED as problem:
        code = worker.wait()
        if code >= 0:  # it printed a traceback
            raise RuntimeError(f"a process that decodes images ended with {code}") from problem
        raise ResourceError(
            f"a process that decodes images was killed ({signal.Signals(-code).name}), perhaps "
            "for lack of memory; free some and start again"
        ) from problem
    if isinstance(answer, Exception):
        raise answer
    return answer
