"""A disk that is full, or fails, at the k-th operation of a real run."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from .campaign import Campaign
from .children import Ended
from .commands import run_command
from .file_operations import GROWS, Operation, fail_operations, watched
from .rows import Row, count_row
from .tiny_run import TinyRun

PART = "disk"
RESOURCE_EXIT_CODE = 6
PAUSES = (0.01, 0.02)
MESSAGE_SIZE = 10_000
"""Bytes that stderr may need: where it is a file, a limit of files' sizes is its limit too."""


@dataclass(frozen=True)
class Disturbed:
    """A run whose k-th operation failed, and how the same command went on without the fault."""

    ended: Ended
    goes_on: bool

    @property
    def is_refused_well(self) -> bool:
        """Whether it ended with the code for resources and a message, not a traceback."""
        return self.ended.exit_code == RESOURCE_EXIT_CODE and not self.ended.has_traceback


def full_disk_rows(campaign: Campaign) -> Iterator[Row]:
    """Fill the disk for a moment, fill it for good, let it fail; each at many moments."""
    num_operations = campaign.call(count_in_run, arguments=campaign.tiny_run("counted").arguments)
    moments = spread_moments(num_operations, campaign.amount(20, 1))

    def row(name: str, runs: list[Disturbed], is_good: Callable[[Disturbed], bool]) -> Row:
        return count_row(PART, name, ["" if is_good(run) else run.ended.summary for run in runs])

    passing = [disturb(campaign, k, "ENOSPC", persistent=False) for k in moments]
    yield row(
        "disk full for a moment: went on, bit-equal",
        passing, lambda run: run.ended.exit_code == 0 and run.goes_on,
    )  # fmt: skip
    for code, name in (("ENOSPC", "disk full for good"), ("EIO", "disk that fails")):
        lasting = [disturb(campaign, k, code, persistent=True) for k in moments]
        yield row(f"{name}: exit 6, no traceback", lasting, lambda run: run.is_refused_well)
        yield row(f"{name}: when it was well again, bit-equal", lasting, lambda run: run.goes_on)
    if not campaign.quick:
        sizes = (0, 100, MESSAGE_SIZE, 500_000)
        name = "files limited by the system: exit 6, then bit-equal"
        yield count_row(PART, name, [limit(campaign, size) for size in sizes])


def count_in_run(arguments: list[str]) -> int:
    """Run the command line; count the operations below its run root that need room."""
    root, seen = arguments[arguments.index("--run-root") + 1], 0

    def hear(operation: Operation) -> None:
        nonlocal seen
        seen += operation.kind in GROWS and operation.path.startswith(root)

    with watched(hear), suppress(SystemExit):
        run_command(arguments)
    return seen


def spread_moments(last: int, number: int) -> list[int]:
    """Return so many moments, the first and the last operation among them."""
    if number == 1:
        return [(1 + last) // 2]
    return sorted({1 + round(i * (last - 1) / (number - 1)) for i in range(number)})


def disturb(campaign: Campaign, number: int, code: str, *, persistent: bool) -> Disturbed:
    """Run with the ``number``-th operation failing; then the same command without."""
    run = campaign.tiny_run("disturbed")
    where = {"below": str(run.root), "pauses": PAUSES}
    fault = {"number": number, "code": code, "persistent": persistent, **where}
    ended = campaign.command(run.arguments, fail_operations, **fault).wait()
    return Disturbed(ended, goes_on(campaign, run))


def goes_on(campaign: Campaign, run: TinyRun) -> bool:
    """Say whether the same command brings the run to the right end."""
    again = campaign.command(run.arguments).wait()
    return again.exit_code == 0 and run.equals(campaign.reference)


def limit(campaign: Campaign, size: int) -> str:
    """Let the system itself refuse files of more than ``size`` bytes, after a part is written.

    Returns why the run did not bear it, if so.
    """
    run = campaign.tiny_run("limited")
    ended = campaign.command(run.arguments, limit_files, num_bytes=size).wait()
    is_said = size < MESSAGE_SIZE or errno.errorcode[errno.EFBIG] in ended.stderr
    disturbed = Disturbed(ended, goes_on(campaign, run))
    is_good = disturbed.is_refused_well and is_said and disturbed.goes_on
    return "" if is_good else f"{size} bytes: {ended.summary}"


def limit_files(num_bytes: int) -> None:
    """Limit the size of every file that this process writes."""
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, resource.RLIM_INFINITY))
