"""Processes that decode image files: for many small ones, threads wait for the interpreter's lock.

They are plain child processes that run :mod:`.worker`, not ``multiprocessing``: that would run the
user's script once more in each, which a script without ``if __name__ == "__main__"`` does not bear.

Shape letters: B images of one request, C channels, H W pixels.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from ...errors import ResourceError
from .worker import GREETING, PIPE_BYTES, RESOURCES

WORKER = "cnn_train.data.folder.worker"

SILENT_SECONDS = 120.0
"""The largest image that is allowed took 12 seconds on one core of a busy machine."""

KILLED_SECONDS = 5.0
"""A process that waits for a dead disk does not end even when it is killed."""

Process = subprocess.Popen[bytes]


class DecodingProcesses:
    """Child processes that live as long as the ``with`` block; any number of threads may ask."""

    def __init__(self, size_px: int) -> None:
        self._size_px = size_px
        self._processes: list[Process] = []
        self._idle: SimpleQueue[Process] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        for process in self._processes:
            for pipe in _pipes(process):
                with suppress(BrokenPipeError):
                    pipe.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(KILLED_SECONDS)

    def start(self, num_processes: int) -> bool:
        """Start processes and wait until they are ready; False where this Python cannot."""
        if not Path(sys.executable or "").name.lower().startswith("python"):
            return False  # embedded in another program
        with suppress(OSError):
            for _ in range(num_processes):
                self._processes.append(_start_process(self._size_px))
        for process in self._processes:
            self._idle.put(process)
        greetings = [bytearray(len(GREETING)) for _ in self._processes]
        for process, greeting in zip(self._processes, greetings, strict=True):
            _read_into(process, memoryview(greeting))
        return greetings == [GREETING] * num_processes

    def kill(self) -> None:
        """End all processes at once; a thread that waits for one gets an error."""
        for process in self._processes:
            process.kill()

    def decode(self, paths: Sequence[Path], images_BCHW: NDArray[np.uint8]) -> dict[str, list[str]]:
        """Fill ``images_BCHW`` and return the worker's remarks.

        Raises ResourceError where the machine lacks what it takes, and for a silent process.
        """
        process = self._idle.get()
        try:
            remarks = _ask(process, paths, images_BCHW)
        finally:
            self._idle.put(process)  # a dead one too: whoever gets it must not wait
        if remarks[RESOURCES]:
            raise ResourceError(remarks[RESOURCES][0])
        return remarks


def _start_process(size_px: int) -> Process:
    """Start a worker that finds the same modules; Ctrl-C in the terminal is not for it."""
    search_path = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", WORKER, str(size_px)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pipesize=PIPE_BYTES,
        process_group=0,
        env={**os.environ, "PYTHONPATH": search_path, "OPENBLAS_NUM_THREADS": "1"},
    )


def _pipes(process: Process) -> tuple[Any, Any]:
    assert process.stdin and process.stdout
    return process.stdin, process.stdout


def _ask(
    process: Process, paths: Sequence[Path], images_BCHW: NDArray[np.uint8]
) -> dict[str, list[str]]:
    requests = _pipes(process)[0]
    try:
        requests.write(json.dumps([str(path) for path in paths]).encode() + b"\n")
        requests.flush()
    except BrokenPipeError:
        _explain_end(process)
    num_read = _read_into(process, images_BCHW.data.cast("B"))
    line = _read_line(process)
    if num_read < images_BCHW.nbytes or not line.endswith(b"\n"):
        _explain_end(process)
    remarks: dict[str, list[str]] = json.loads(line)
    return remarks


def _read_into(process: Process, view: memoryview) -> int:
    """Fill ``view`` from the process's answers; return the bytes read, fewer where it has ended."""
    num_read = 0
    while num_read < len(view):
        num_more = os.readv(_await_answer(process), [view[num_read:]])
        if not num_more:
            break
        num_read += num_more
    return num_read


def _read_line(process: Process) -> bytes:
    """Read the last line of an answer; nothing follows it until the next request."""
    line = b""
    while not line.endswith(b"\n") and (piece := os.read(_await_answer(process), PIPE_BYTES)):
        line += piece
    return line


def _await_answer(process: Process) -> int:
    """Return the descriptor to read from; ResourceError where a process is silent for too long."""
    answers = _pipes(process)[1].fileno()
    waiting = select.poll()
    waiting.register(answers, select.POLLIN)
    if not waiting.poll(1000 * SILENT_SECONDS):
        raise ResourceError(
            f"a process that decodes images has been silent for {SILENT_SECONDS:g} seconds; "
            "see whether the disk that holds the images answers, and start again"
        )
    return int(answers)


def _explain_end(process: Process) -> NoReturn:
    """Raise ResourceError for a killed process; one that failed by itself has shown why."""
    code = process.wait()
    if code >= 0:
        raise RuntimeError(f"a process that decodes images ended with exit code {code}")
    raise ResourceError(
        f"a process that decodes images was killed ({signal.Signals(-code).name}), perhaps for "
        "lack of memory; free some and start again"
    )
