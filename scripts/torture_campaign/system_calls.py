"""A crash at the n-th system call of a save, for n = 1, 2, 3, … until none is left."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cnn_train.machine.atomic_file import remove_leftovers

from .campaign import Campaign
from .file_operations import watched
from .rows import Count, Row
from .states import make_save
from .tracing import TracingNotPermittedError, run_to_stop

PART = "syscalls"
NAMES = {
    "checkpoint": "crash at every system call of a save: old or new loads",
    "run": "crash at every system call of a run's save",
}


def system_call_rows(campaign: Campaign) -> Iterator[Row]:
    """Crash saves of a checkpoint, of a run's three names, and of the plain loop."""
    stride = campaign.amount(1, 5)
    plain = crash_saves(campaign, "plain", stride)
    if not plain["traced"]:
        campaign.remarks.append(
            "syscalls: this system does not allow ptrace; crashes are at Python's file operations"
        )
    for kind, name in NAMES.items():
        ours = crash_saves(campaign, kind, stride)
        yield Row(
            PART, name, _kept(ours), _kept(plain),
            f"{ours['loads'].count('new')} new, the others old; "
            f"plain lost both {plain['loads'].count('neither')} times",
            tuple(f"crash {n}: neither" for n, load in enumerate(ours["loads"], 1)
                  if load == "neither"),
        )  # fmt: skip
    yield Row(
        PART, "its leftovers are gone at the next start", Count(ours["tidied"], len(ours["loads"])),
        note=f"{ours['littered']} crashes left a temporary file",
    )  # fmt: skip


def _kept(crashes: dict[str, Any]) -> Count:
    return Count.of_outcomes([load != "neither" for load in crashes["loads"]])


def crash_saves(
    campaign: Campaign, kind: str, stride: int, replaced_by: str = ""
) -> dict[str, Any]:
    """Crash one kind of save at every ``stride``-th stop, in a child; see ``crash_at_each``."""
    arguments = {"kind": kind, "states": campaign.two_states, "stride": stride}
    crashes: dict[str, Any] = campaign.call(crash_at_each, **arguments, replaced_by=replaced_by)
    return crashes


def crash_at_each(
    kind: str, states: tuple[str, str], stride: int, replaced_by: str = ""
) -> dict[str, Any]:
    """Crash a save at each stop in turn and look at what it leaves.

    Returns ``loads`` (``old``, ``new`` or ``neither`` for each crash), ``littered`` and ``tidied``
    (crashes that left a temporary file, and after whose tidying none was there), ``traced`` (False:
    crashes at file operations, because ptrace is not allowed).
    """
    loads: list[str] = []
    littered = tidied = 0
    run, traced = run_to_stop, True
    number = 1
    with TemporaryDirectory() as scratch:
        while True:
            directory = Path(scratch) / str(number)
            directory.mkdir()
            save = make_save(kind, directory, states, replaced_by)
            save.prepare()
            try:
                crashed = run(save.save, number)
            except TracingNotPermittedError:
                run, traced = run_to_operation, False
                crashed = run(save.save, number)
            loads.append(save.loads())
            littered += _has_leftovers(directory)
            remove_leftovers(directory)  # as the next start does
            tidied += not _has_leftovers(directory)
            if not crashed:
                return {"loads": loads, "littered": littered, "tidied": tidied, "traced": traced}
            number += stride if traced else 1


def _has_leftovers(directory: Path) -> bool:
    return any(path.name.startswith(".") for path in directory.iterdir())


def run_to_operation(function: Any, number: int) -> bool:
    """Call ``function`` in a child that ends before its ``number``-th file operation, if any."""
    pid = os.fork()
    if pid == 0:
        numbers = count(1)
        with watched(lambda _: os._exit(1) if next(numbers) == number else None):
            function()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) != 0
