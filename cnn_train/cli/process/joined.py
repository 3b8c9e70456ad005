"""The command line of several processes: one of them talks, and all of them end together."""

import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import NoReturn

from ...errors import InterruptedRun, expected_failure
from ...machine.processes import World, end_process, join, lost_processes_explained
from ..console import error, notice, print_failure, silence

AGREE_EVERY = 10
"""Minibatches between two questions on GPUs, whose steps are short; a question costs 0.1 ms."""


@contextmanager
def joined_processes() -> Iterator[World]:
    """Join the other processes, if torchrun or srun started any; the first of them alone talks.

    With others, the end of the block is the end of this process: with the exit code of its error,
    which is said once, by whichever process meets it first.
    """
    world = join(notice)
    if world.size == 1:
        yield world
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the launcher's: the others cannot be told
    if not world.is_first:
        silence()
    try:
        with lost_processes_explained(""):
            yield world
            world.leave()
    except (Exception, KeyboardInterrupt) as problem:
        _end(world, problem)


def _end(world: World, problem: BaseException) -> NoReturn:
    """Say what failed, unless another process has, and exit; a bug of ours always shows.

    The first process says why a run stops as asked; the others wait for that, because the launcher
    kills those that remain.
    """
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    failure, stops_together = expected_failure(problem), isinstance(problem, InterruptedRun)
    if failure is None:
        traceback.print_exception(problem)
    if world.is_first if stops_together else world.announce_failure():
        print_failure(failure, problem)
        if failure is not None:
            error(str(failure))
    if stops_together:
        world.meet("the end")
    end_process(failure.exit_code if failure else 1)


def agreement_on_signals(world: World, *, on_gpu: bool) -> Callable[[int], int]:
    """Return a function of the signal heard here (0: none) that gives all processes one answer.

    Every process must call it equally often. On GPUs most calls say "none" without asking.
    """
    if world.size == 1:
        return lambda heard: heard
    every, calls = AGREE_EVERY if on_gpu else 1, count(1)
    return lambda heard: world.largest(heard) if next(calls) % every == 0 else 0
