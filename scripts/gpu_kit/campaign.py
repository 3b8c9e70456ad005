"""Run the steps one after the other, each in a process of its own, and note what they find."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from part_program import search_path

from .kit import Kit
from .results import Results, StepResult
from .steps import Step

LOG = "gpu.log"


def run_steps(kit: Kit, steps: Sequence[Step], budget: float, results: Results) -> None:
    """Run what fits into ``budget`` seconds; say of the rest that it did not.

    A step that fails or is ended never stops the next.
    """
    ends = time.monotonic() + budget
    try:
        with (kit.out / LOG).open("a", encoding="utf-8") as log:
            for step in steps:
                result, left = results.begin(step.name), ends - time.monotonic()
                if left >= step.least:
                    run_step(step, kit, min(step.limit, left), results, result, log)
                else:
                    why = f"wants {step.least:.0f} s, {max(left, 0):.0f} s are left of the budget"
                    results.end(result, "skipped", why)
    except KeyboardInterrupt:
        for result in results.steps:
            if result.state == "running":
                results.end(result, "interrupted")
        raise


def run_step(
    step: Step, kit: Kit, limit: float, results: Results, result: StepResult, log: TextIO
) -> None:
    """Run one step for at most ``limit`` seconds; every row is on disk as soon as it is known."""
    log.write(f"\n=== {step.name}\n")
    log.flush()
    timed = replace(kit, deadline=time.time() + limit)
    command = [sys.executable, "-m", "gpu_kit.child", "step", step.name, timed.to_json()]
    begins = (kit.out / LOG).stat().st_size
    with running(command, limit, kit, log) as (process, timed_out):
        assert process.stdout
        for line in process.stdout:
            if line.endswith("\n"):  # else the writer was killed in the middle of it
                results.add(result, json.loads(line))
        code = process.wait()
    if timed_out.is_set():
        results.end(result, "ended", f"not done after {limit:.0f} s")
    elif code:
        results.end(result, "failed", f"{find_reason(kit.out / LOG, begins)} (exit code {code})")
    else:
        results.end(result, "done")


@contextmanager
def running(
    command: Sequence[str], limit: float, kit: Kit, log: TextIO
) -> Iterator[tuple["subprocess.Popen[str]", threading.Event]]:
    """Start a process group; end all of it after ``limit`` seconds, and at the block's end."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        encoding="utf-8", env=child_environment(kit), cwd=kit.scratch, process_group=0,
    )  # fmt: skip
    with process:
        try:
            with alarm(limit, lambda: end_group(process.pid)) as timed_out:
                yield process, timed_out
        finally:
            end_group(process.pid)


@contextmanager
def alarm(seconds: float, act: Callable[[], None]) -> Iterator[threading.Event]:
    """Act where the block takes longer than that; yield what tells whether it did."""
    too_long = threading.Event()

    def ring() -> None:
        too_long.set()
        act()

    timer = threading.Timer(seconds, ring)
    timer.daemon = True  # nobody waits for it, however this process ends
    timer.start()
    try:
        yield too_long
    finally:
        timer.cancel()


def end_group(process_id: int) -> None:
    """Kill a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process_id, signal.SIGKILL)


def child_environment(kit: Kit) -> dict[str, str]:
    """Return the variables of a child: it finds the packages from any folder.

    A toy run compiles nothing, which would take longer than all the rest, and uses one thread.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    more = {
        "PYTHONPATH": search_path(),
        "PYTHONUNBUFFERED": "1",
        "XDG_CACHE_HOME": str(kit.scratch / "cache"),
    }
    return kept | more | ({"TORCHDYNAMO_DISABLE": "1", "OMP_NUM_THREADS": "1"} if kit.toy else {})


def find_reason(log: Path, begins: int) -> str:
    """Return the last line after the byte ``begins`` that names an error, else the last one."""
    text = log.read_bytes()[begins:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt)\b", line)]
    return (named or lines or ["it said nothing"])[-1]
