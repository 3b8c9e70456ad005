"""Start tasks in forked children of the fork server, and see how they end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from part_program import search_path

DEADLINE_SECONDS = 120.0


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds; TimeoutError where it does not within a minute."""
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"a minute without {what}")
        time.sleep(0.002)


class HungError(RuntimeError):
    """A child did not end in time; it has been killed."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: exit code as a shell says it, what it said, and how long it took.

    megabytes: by how much its memory grew, at most; 0 where it was killed.
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    megabytes: float = 0.0

    @property
    def has_traceback(self) -> bool:
        """Whether it showed a Python traceback."""
        return "Traceback (most recent call last)" in self.stdout + self.stderr

    @property
    def summary(self) -> str:
        """The exit code, and the last of what was said on stderr."""
        return f"exit {self.exit_code}: {self.stderr.strip()[-300:]}"


class Child:
    """A process under way."""

    def __init__(self, server: "ForkServer", pid: int, directory: Path) -> None:
        self.pid = pid
        self._server, self._directory = server, directory
        self._started = time.monotonic()

    def signal(self, signum: int) -> None:
        """Send a signal to the process alone; its number is its own until it is waited for."""
        os.kill(self.pid, signum)

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._started

    def wait(self, seconds: float = DEADLINE_SECONDS) -> Ended:
        """Wait for its end; raises HungError, and kills it, where that does not come in time."""
        code = self._server.ask(wait=self.pid, seconds=seconds)
        if code is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._server.ask(wait=self.pid, seconds=DEADLINE_SECONDS)
            raise HungError(f"still running after {seconds:g} s: {self.said('stderr')[-300:]}")
        grown = float(self.said("megabytes") or 0)
        return Ended(code, self.said("stdout"), self.said("stderr"), self.seconds, grown)

    def said(self, stream: str) -> str:
        """Return what it has written so far to ``stdout``, ``stderr`` or a file of another name."""
        path = self._directory / stream
        return path.read_text("utf-8", errors="replace") if path.exists() else ""

    def wait_until_said(self, words: str, stream: str = "stderr") -> None:
        """Wait until it has said the words; TimeoutError where it does not."""
        wait_until(lambda: words in self.said(stream), f"the words {words}")

    def leaves_orphans(self) -> bool:
        """Say, after its end, whether processes that it started live on; they are killed."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


class ForkServer:
    """The asking side of ``fork_server``."""

    def __init__(self, process: "subprocess.Popen[bytes]", scratch: Path) -> None:
        self._process, self._scratch = process, scratch
        self._num_started = 0

    def ask(self, **request: Any) -> int | None:
        """Send one request and return the number in its reply."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        reply: int | None = json.loads(self._process.stdout.readline())["exit_code"]
        return reply

    def start(
        self, call: str, arguments: dict[str, Any], directory: Path | None = None,
        answer: Path | None = None,
    ) -> Child:  # fmt: skip
        """Fork a child that calls ``call`` (``module:function``) with keyword ``arguments``.

        ``directory``: where it works. ``answer``: a file for what the function returns, as JSON.
        """
        self._num_started += 1
        output = self._scratch / f"child-{self._num_started}"
        output.mkdir()
        places = {"directory": directory or self._scratch, "output": output, "answer": answer or ""}
        task = {name: str(place) for name, place in places.items()}
        pid = self.ask(call=call, arguments=arguments, **task)
        assert pid
        return Child(self, pid, output)

    def call(self, function: str, **arguments: Any) -> Any:
        """Return what ``function`` (``module:name``) returns in a child, as JSON has it."""
        answer = self._scratch / f"answer-{self._num_started}"
        ended = self.start(function, arguments, answer=answer).wait(3600)
        if ended.exit_code:
            raise RuntimeError(f"{function} ended with {ended.exit_code}: {ended.stderr[-2000:]}")
        return json.loads(answer.read_text("utf-8"))


@contextmanager
def fork_server(scratch: Path) -> Iterator[ForkServer]:
    """Run a fork server while the block runs; children write their output below ``scratch``."""
    with subprocess.Popen(
        [sys.executable, "-m", "torture_campaign.fork_server"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": search_path()},
    ) as process:  # fmt: skip
        assert process.stdout
        try:
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError("the fork server did not start")
            yield ForkServer(process, scratch)
        finally:
            process.kill()
