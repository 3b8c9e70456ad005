"""Several processes that train one network: their ranks, and small messages between them.

Small values go over gloo on the CPU or through the rendezvous store, so that they never wait for
a GPU; only gradients are large, and DistributedDataParallel sends those. With one process
everything here is the identity, and torch is not even imported.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import LostProcessError, UsageError
from .rendezvous import POLL_SECONDS, TIMEOUT, launched_with, open_store, read_number, wait_for_all

if TYPE_CHECKING:
    from torch import Tensor

FAILED = "failed"


@dataclass(frozen=True)
class Part:
    """One process's contiguous part of a minibatch, from ``start`` to ``stop``."""

    start: int
    stop: int
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
        return Part(start, stop, (stop - start) * self.size / num_examples)

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

    def keep_largest(self, tensor: "Tensor") -> None:
        """Overwrite each value of the tensor with the largest that any process has there."""
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)

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
            failed = self.store.check([FAILED])
            if failed and not self.store.check([key]):  # not set before the failure
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
    size = read_number(given, "WORLD_SIZE", default=1)
    if size == 1:
        return ALONE
    rank, local_rank = read_number(given, "RANK"), read_number(given, "LOCAL_RANK")
    address = (given.get("MASTER_ADDR", "localhost"), read_number(given, "MASTER_PORT"))
    import torch
    from torch import distributed

    if not distributed.is_available():
        raise UsageError("this build of torch cannot train in several processes")
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with lost_processes_explained("; check MASTER_ADDR, MASTER_PORT and the network between them"):
        store = open_store(address, rank, notice)
        wait_for_all(store, rank, size, notice)
        distributed.init_process_group(
            backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT
        )
    return World(rank, size, local_rank, store)


def require_one_process(command: str) -> None:
    """Refuse a launcher for a command that would run once per process; raises UsageError."""
    if read_number(launched_with(), "WORLD_SIZE", default=1) > 1:
        raise UsageError(f"{command} is one process: run it without torchrun or srun")


@contextmanager
def lost_processes_explained(advice: str) -> Iterator[None]:
    """Turn a collective's failure inside the block into a LostProcessError that ends in advice."""
    try:
        yield
    except RuntimeError as problem:
        from torch.distributed import DistError

        text = str(problem).lower()
        if not (isinstance(problem, DistError) or "gloo" in text or "nccl" in text):
            raise
        reason = "a process of this run ended or cannot be reached"
        raise LostProcessError(reason + advice) from problem
