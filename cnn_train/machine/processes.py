"""Several processes that train one network: their ranks, and small messages between them.

Small values go over gloo on the CPU or through the rendezvous store, so that they never wait for
a GPU; only gradients are large, and DistributedDataParallel sends those. With one process
everything here is the identity, and torch is not even imported.
"""

import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import LostProcessError, UsageError, name_some

if TYPE_CHECKING:
    from torch import Tensor

# A process that dies is noticed at once, by its closed connection. This limit is for one that stops
# answering (a dead node or network); writing a checkpoint to a slow disk must take less.
TIMEOUT = timedelta(minutes=5)

# So long after the start, a process that does not answer is spoken of. Slow machines take longer to
# import torch, so waiting goes on.
PATIENCE_SECONDS = 10.0

POLL_SECONDS = 0.05
FAILED = "failed"


@dataclass(frozen=True)
class Part:
    """One process's contiguous part, ``start`` to ``stop``, of ``whole`` examples."""

    start: int
    stop: int
    whole: int
    weight: float
    """Part over whole, times the number of processes: Σ weight·mean over processes, divided by
    their number, is the mean over the whole, also where parts are uneven. 1 where they are even."""


@dataclass(frozen=True)
class World:
    """The processes of a run as one of them sees it.

    ``local_rank`` counts the processes of this machine. Every method that needs the others must be
    called by all of them, in the same order.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    store: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def part(self, num_examples: int) -> Part:
        """Return this process's part of a minibatch; parts differ by one example at most."""
        start = num_examples * self.rank // self.size
        stop = num_examples * (self.rank + 1) // self.size
        return Part(start, stop, num_examples, (stop - start) * self.size / num_examples)

    def sum(self, values: Sequence[float]) -> list[float]:
        """Add each value over all processes, in float64: counts stay exact."""
        return list(values) if self.size == 1 else self._reduce(values, "SUM")

    def largest(self, value: int) -> int:
        """Return the largest value that any process has."""
        return value if self.size == 1 else int(self._reduce([value], "MAX")[0])

    def any(self, flag: bool) -> bool:
        """Say whether the flag is up in any process."""
        return self.largest(int(flag)) > 0

    def _reduce(self, values: Sequence[float], operation: str) -> list[float]:
        import torch
        from torch import distributed

        reduced = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(reduced, op=getattr(distributed.ReduceOp, operation))
        totals: list[float] = reduced.tolist()
        return totals

    def share(self, tensors: "Iterable[Tensor]") -> None:
        """Overwrite the tensors of every process with the first one's."""
        if self.size == 1:
            return
        from torch import distributed

        for tensor in tensors:
            dense = tensor.contiguous()  # the tensor itself, unless it is channels_last
            distributed.broadcast(dense, src=0)
            tensor.copy_(dense)

    def tell(self, name: str, value: Any = None) -> Any:
        """Return the first process's ``value`` (plain JSON) in all of them; use each name once."""
        if self.size == 1:
            return value
        if self.is_first:
            self.store.set(name, json.dumps(value))
            return value
        self._wait_for(name)
        return json.loads(self.store.get(name))

    def meet(self, name: str) -> None:
        """Wait, however long it takes, until every process is here or one has failed."""
        if self.size == 1:
            return
        arrivals = self.store.add(f"{name}, arrivals", 1)
        complete = f"{name}, complete {(arrivals - 1) // self.size}"
        if arrivals % self.size == 0:
            self.store.set(complete, "1")
        self._wait_for(complete)

    @contextmanager
    def first_on_each_machine(self, name: str) -> Iterator[None]:
        """Let a machine's first process run the block before its others, which find its files."""
        done = f"{name}, done by {self.rank - self.local_rank}"
        if self.size > 1 and self.local_rank > 0:
            self._wait_for(done)
        yield
        if self.size > 1 and self.local_rank == 0:
            self.store.set(done, "1")

    def _wait_for(self, key: str) -> None:
        """Poll, because a blocking call to the store could be neither interrupted nor ended."""
        while not self.store.check([key]):
            if self.store.check([FAILED]) and not self.store.check(
                [key]
            ):  # not set before the failure
                raise LostProcessError("another process of this run has failed")
            time.sleep(POLL_SECONDS)

    def announce_failure(self) -> bool:
        """Let the waiting processes stop; return whether this process is the first to fail."""
        try:
            first: bool = self.store.add("failures", 1) == 1
            self.store.set(FAILED, "1")
        except RuntimeError:  # the store ended with the process that held it
            return True
        return first

    def leave(self) -> None:
        """Close the connections to the other processes and exit with 0; alone, do nothing."""
        if self.size > 1:
            from torch import distributed

            distributed.destroy_process_group()
            end_process(0)


ALONE = World()


def end_process(exit_code: int) -> NoReturn:
    """End a process that has joined others, without the interpreter's usual shutdown.

    That would wait for collectives that no process answers any more, and sometimes abort in a
    thread of gloo ("terminate called without an active exception").
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def join(notice: Callable[[str], None] = lambda message: None) -> World:
    """Join the processes that torchrun or srun started; without them, be alone.

    ``notice`` is told whom this process waits for. Raises UsageError where the launcher's
    environment is incomplete, LostProcessError where the others cannot be reached.
    """
    given = launched_with()
    size = _number(given, "WORLD_SIZE", default=1)
    if size == 1:
        return ALONE
    rank, local_rank = _number(given, "RANK"), _number(given, "LOCAL_RANK")
    address = (given.get("MASTER_ADDR", "localhost"), _number(given, "MASTER_PORT"))
    import torch
    from torch import distributed

    if not distributed.is_available():
        raise UsageError("this build of torch cannot train in several processes")
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with lost_processes_explained("; check MASTER_ADDR, MASTER_PORT and the network between them"):
        store = _open_store(address, rank, notice)
        _wait_for_all(store, rank, size, notice)
        distributed.init_process_group(
            backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT
        )
    return World(rank, size, local_rank, store)


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


def _open_store(address: tuple[str, int], rank: int, notice: Callable[[str], None]) -> Any:
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
    waiting = _deadlines(
        notice,
        lambda: (
            f"process {rank} finds none of this run at {host}:{port}; start process 0 there "
            "with the same MASTER_ADDR and MASTER_PORT, or choose another port"
        ),
    )
    while not found:
        next(waiting)
    return found[0]


def _wait_for_all(store: Any, rank: int, size: int, notice: Callable[[str], None]) -> None:
    """Wait until every process has connected; process 0 says which are missing."""
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    names = [f"start {attempt} of process {number}" for number in range(size)]
    store.set(names[rank], "1")

    def missing() -> list[str]:
        return [str(number) for number in range(size) if not store.check([names[number]])]

    waiting = _deadlines(
        notice if rank == 0 else lambda message: None,
        lambda: (
            f"of {size} processes these have not come: {name_some(missing())}; start them with "
            "the same MASTER_ADDR and MASTER_PORT, or set WORLD_SIZE=1 to train in one"
        ),
    )
    while missing():
        next(waiting)


def _deadlines(notice: Callable[[str], None], trouble: Callable[[], str]) -> Iterator[None]:
    """Let time pass; name the trouble after a while, and fail of it in the end."""
    start, said = time.monotonic(), False
    while (passed := time.monotonic() - start) < TIMEOUT.total_seconds():
        if passed > PATIENCE_SECONDS and not said:
            notice(f"waiting: {trouble()} (Ctrl-C stops)")
            said = True
        time.sleep(POLL_SECONDS)
        yield
    raise LostProcessError(trouble())


def _number(given: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = given.get(name, "" if default is None else str(default))
    if not text.isdecimal():
        raise UsageError(
            f"environment variable {name}: {text or 'missing'}; start several processes with "
            "torchrun, which sets it, or unset WORLD_SIZE"
        )
    return int(text)


def require_one_process(command: str) -> None:
    """Refuse a launcher for a command that would run once per process; raises UsageError."""
    if _number(launched_with(), "WORLD_SIZE", default=1) > 1:
        raise UsageError(f"{command} is one process: run it without torchrun or srun")


@contextmanager
def lost_processes_explained(advice: str) -> Iterator[None]:
    """Turn a collective's failure inside the block into a LostProcessError that ends in advice."""
    try:
        yield
    except RuntimeError as problem:
        if not _is_lost_connection(problem):
            raise
        raise LostProcessError(
            f"a process of this run ended or cannot be reached{advice}"
        ) from problem


def _is_lost_connection(problem: RuntimeError) -> bool:
    """Recognise torch's own classes, and gloo's and NCCL's messages in plain RuntimeErrors."""
    from torch import distributed

    text = str(problem).lower()
    return isinstance(problem, distributed.DistError) or "gloo" in text or "nccl" in text
