"""The command line of several processes: one of them talks, and all of them end together."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from ..distributed import World, join, lost_processes_explained
from ..errors import CnnTrainError, InterruptedRun
from .console import error, silence, stdout

AGREE_EVERY = 10
"""Minibatches between two questions on GPUs, whose steps are short; a question costs 0.1 ms."""


@contextmanager
def joined_processes() -> Iterator[World]:
    """Join the other processes, if torchrun started any; the first of them alone talks.

    An error of one is said once, by whichever meets it first, and ends this process with its exit
    code: at once, because a normal end would wait for collectives that nobody answers.
    """
    world = join()
    if world.size == 1:
        yield world
        return
    if not world.is_first:
        silence()
    try:
        with lost_processes_explained(""):
            yield world
            world.leave()
    except CnnTrainError as failure:
        _end(world, str(failure), failure.exit_code, together=isinstance(failure, InterruptedRun))
    except KeyboardInterrupt:
        _end(world, "interrupted", 130, together=False)


def _end(world: World, message: str, exit_code: int, *, together: bool) -> NoReturn:
    """Say ``message`` unless another process said one, and exit.

    ``together``: all processes end so, and each waits until it has been said, because the launcher
    kills the others after the first exit.
    """
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    if together:
        if world.is_first:
            error(message)
        world.meet("the end")
    elif world.announce_failure():
        error(message)
    stdout.file.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def agreement_on_signals(world: World, *, on_gpu: bool) -> Callable[[int], int]:
    """Return a function of the signal heard here (0: none) that gives all processes one answer.

    Every process must call it equally often. On GPUs most calls say "none" without asking.
    """
    if world.size == 1:
        return lambda heard: heard
    every, calls = AGREE_EVERY if on_gpu else 1, 0

    def agree(heard: int) -> int:
        nonlocal calls
        calls += 1
        return world.largest(heard) if calls % every == 0 else 0

    return agree
