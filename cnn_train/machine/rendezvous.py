"""How the processes of a run find each other: their numbers, and the store that they share."""

import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import Any

from ..errors import LostProcessError, UsageError, name_some

# A process that dies is noticed at once, by its closed connection. This limit is for one that stops
# answering (a dead node or network); writing a checkpoint to a slow disk must take less.
TIMEOUT = timedelta(minutes=5)

# So long after the start, a process that does not answer is spoken of. Slow machines take longer to
# import torch, so waiting goes on.
PATIENCE_SECONDS = 10.0

POLL_SECONDS = 0.05


def launched_with() -> Mapping[str, str]:
    """Return the environment as torchrun sets it, where srun started several tasks too.

    A process of a batch script itself has SLURM_NTASKS too, but is no task of a step.
    """
    own, tasks = os.environ, os.environ.get("SLURM_STEP_NUM_TASKS")
    if tasks is None and own.get("ENVIRONMENT") != "BATCH":
        tasks = own.get("SLURM_NTASKS")
    if "WORLD_SIZE" in own or "RANK" in own or "SLURM_PROCID" not in own or tasks in (None, "1"):
        return own
    nodes = own.get("SLURM_STEP_NODELIST") or own.get("SLURM_NODELIST", "")
    job = int(re.sub(r"\D", "", own.get("SLURM_JOB_ID", "")) or 0)
    return {
        "WORLD_SIZE": str(tasks),
        "RANK": own["SLURM_PROCID"],
        "LOCAL_RANK": own.get("SLURM_LOCALID", ""),
        "MASTER_ADDR": own.get("MASTER_ADDR") or first_host(nodes),
        "MASTER_PORT": own.get("MASTER_PORT") or str(15000 + job % 10000),  # no ephemeral port
    }


def first_host(nodes: str) -> str:
    """Return the first host of SLURM's list: ``gpu007`` of ``gpu[007-009,011],big1``."""
    return re.sub(r"\[([^],-]+)[^]]*\]", r"\1", nodes).partition(",")[0] or "localhost"


def open_store(address: tuple[str, int], rank: int, notice: Callable[[str], None]) -> Any:
    """Connect to the store that torchrun's agent holds, or else process 0, once it is there."""
    from torch import distributed

    host, port = address
    make: Any = distributed.TCPStore  # type: ignore[attr-defined]
    make_store = partial(make, host, port, timeout=TIMEOUT, wait_for_workers=False)
    if rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        try:
            return make_store(is_master=True)
        except distributed.DistNetworkError as problem:
            if "EADDRINUSE" not in str(problem):
                raise
            raise LostProcessError(
                f"port {port} of {host} is in use by another program; choose another one for all "
                "processes: torchrun --master-port N, or MASTER_PORT=N"
            ) from problem
    found: list[Any] = []

    def connect() -> None:  # in a thread: it waits for ever where something else listens
        while True:  # torch would print its own failure to connect, with its stack
            with suppress(OSError):
                socket.create_connection(address, timeout=PATIENCE_SECONDS).close()
                break
            time.sleep(POLL_SECONDS)
        found.append(make_store())

    Thread(target=connect, daemon=True).start()
    _wait_until(
        lambda: bool(found),
        notice,
        lambda: (
            f"process {rank} finds none of this run at {host}:{port}; start process 0 there "
            "with the same MASTER_ADDR and MASTER_PORT, or choose another port"
        ),
    )
    return found[0]


def wait_for_all(store: Any, rank: int, size: int, notice: Callable[[str], None]) -> None:
    """Wait until every process has connected; process 0 says which are missing."""
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    names = [f"start {attempt} of process {number}" for number in range(size)]
    store.set(names[rank], "1")

    def missing() -> list[str]:
        return [str(number) for number in range(size) if not store.check([names[number]])]

    _wait_until(
        lambda: not missing(),
        notice if rank == 0 else lambda message: None,
        lambda: (
            f"of {size} processes these have not come: {name_some(missing())}; start them with "
            "the same MASTER_ADDR and MASTER_PORT, or set WORLD_SIZE=1 to train in one"
        ),
    )


def _wait_until(
    done: Callable[[], bool], notice: Callable[[str], None], trouble: Callable[[], str]
) -> None:
    """Wait; name the trouble after a while, and fail of it in the end."""
    start, said = time.monotonic(), False
    while not done():
        passed = time.monotonic() - start
        if passed > TIMEOUT.total_seconds():
            raise LostProcessError(trouble())
        if passed > PATIENCE_SECONDS and not said:
            notice(f"waiting: {trouble()} (Ctrl-C stops)")
            said = True
        time.sleep(POLL_SECONDS)


def read_number(given: Mapping[str, str], name: str, default: int | None = None) -> int:
    """Read a launcher's number; raises UsageError where it is missing or no number."""
    text = given.get(name, "" if default is None else str(default))
    if not text.isdecimal():
        raise UsageError(
            f"environment variable {name}: {text or 'missing'}; start several processes with "
            "torchrun, which sets it, or unset WORLD_SIZE"
        )
    return int(text)
