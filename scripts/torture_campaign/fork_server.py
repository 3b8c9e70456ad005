"""A process that has imported everything, and forks a child for each task: a start in milliseconds.

It is a program of its own, with one thread: whoever asks it may have as many as they like. Requests
and replies are lines of JSON; a child's output goes to files, and it leads a process group, so that
whatever it leaves behind can be found.
"""

import importlib
import importlib.util
import json
import os
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

HEAVY = (
    "torch", "torch._dynamo", "torchvision", "numpy.fft", "mpmath", "sympy", "rich._emoji_codes",
    "matplotlib.backends.backend_agg", "PIL.PngImagePlugin", "pydantic.type_adapter",
    "cnn_train.cli.main", "cnn_train.cli.fit.starting", "cnn_train.cli.fit.resuming",
    "cnn_train.training.fit", "cnn_train.evaluation.evaluate", "cnn_train.inference.predict",
    "cnn_train.evaluation.report",
)  # fmt: skip
POLL_SECONDS = 0.002


def resolve(place: str) -> Callable[..., Any]:
    """Return the function named by ``module:name`` or by ``/path/to/file.py:name``."""
    module_name, _, name = place.rpartition(":")
    if module_name.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(module_name).stem, module_name)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(module_name)
    function: Callable[..., Any] = getattr(module, name)
    return function


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are none; a forked child performs its task and ends."""
    for line in requests:
        request = json.loads(line)
        if "wait" in request:
            reply = {"exit_code": _wait(request["wait"], request["seconds"])}
        else:
            pid = os.fork()
            if pid == 0:
                for file in (requests, replies):
                    os.close(file.fileno())
                code = perform(request)
                for stream in filter(None, (sys.stdout, sys.stderr)):
                    stream.flush()
                os._exit(code)  # taking down a thousand modules would take longer than the task
            reply = {"exit_code": pid}
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


def _wait(pid: int, seconds: float) -> int | None:
    """Return the exit code as a shell would say it (128 + signal); None while the child runs."""
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if time.monotonic() >= deadline:
            return None
        time.sleep(POLL_SECONDS)


def perform(task: dict[str, Any]) -> int:
    """Become the task's process: its group, its files, its directory; return its exit code."""
    os.setsid()
    os.chdir(task["directory"])
    before = peak_megabytes()
    for number, name in ((1, "stdout"), (2, "stderr")):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(f"{task['output']}/{name}", flags, 0o644), number)
    try:
        answer = resolve(task["call"])(**task["arguments"])
        if task["answer"]:
            Path(task["answer"]).write_text(json.dumps(answer), "utf-8")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        grown = peak_megabytes() - before
        Path(task["output"], "megabytes").write_text(f"{grown:.1f}", "utf-8")
    return 0


def peak_megabytes() -> float:
    """Return the most memory that this process has held so far; a fork begins with its parent's."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Import everything, say so, serve."""
    for name in HEAVY:
        importlib.import_module(name)
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    for number in (0, 1):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    assert threading.active_count() == 1, "a process with threads must not fork"
    replies.write(b"ready\n")
    replies.flush()
    serve(requests, replies)


if __name__ == "__main__":
    main()
