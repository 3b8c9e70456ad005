"""Processes that decode image files: for many small ones, threads wait for the interpreter's lock.

They are plain child processes that run :mod:`.worker`, not ``multiprocessing``: that would run the
user's script once more in each, which a script without ``if __name__ == "__main__"`` does not bear.

Shape letters: B images of one request, C channels, H W pixels.
"""

import json
import os
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
            with suppress(BrokenPipeError), process:  # closes its pipes and waits for its end
                pass

    def start(self, num_processes: int) -> bool:
        """Start processes and wait until they are ready; False where this Python cannot."""
        if not Path(sys.executable or "").name.lower().startswith("python"):
            return False  # embedded in another program
        with suppress(OSError):
            for _ in range(num_processes):
                self._processes.append(_start_process(self._size_px))
        for process in self._processes:
            self._idle.put(process)
        ready = [_pipes(process)[1].read(len(GREETING)) for process in self._processes]
        return ready == [GREETING] * num_processes

    def kill(self) -> None:
        """End all processes at once; a thread that waits for one gets an error."""
        for process in self._processes:
            process.kill()

    def decode(self, paths: Sequence[Path], images_BCHW: NDArray[np.uint8]) -> dict[str, list[str]]:
        """Fill ``images_BCHW`` and return the worker's remarks.

        Raises ResourceError where the machine lacks what it takes.
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
    requests, answers = _pipes(process)
    try:
        requests.write(json.dumps([str(path) for path in paths]).encode() + b"\n")
        requests.flush()
    except BrokenPipeError:
        _explain_end(process)
    num_read = answers.readinto(images_BCHW.data.cast("B"))
    line = answers.readline()
    if num_read < images_BCHW.nbytes or not line.endswith(b"\n"):
        _explain_end(process)
    remarks: dict[str, list[str]] = json.loads(line)
    return remarks


def _explain_end(process: Process) -> NoReturn:
    """Raise ResourceError for a killed process; one that failed by itself has shown why."""
    code = process.wait()
    if code >= 0:
        raise RuntimeError(f"a process that decodes images ended with exit code {code}")
    raise ResourceError(
        f"a process that decodes images was killed ({signal.Signals(-code).name}), perhaps for "
        "lack of memory; free some and start again"
    )
