"""SIGKILL at random moments of real runs: each goes on with the same command until it ends."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from . import plain_loop
from .campaign import Campaign
from .children import Child
from .commands import run_cold_command
from .rows import Count, Row
from .tiny_run import TinyRun, same

R = TypeVar("R")

PART = "kills"


@dataclass
class Kills:
    """What came of some kills.

    went_on: for each kill, whether the next start went on without an error. equal: for each run
    that was killed and ended, whether it equals the undisturbed one.
    """

    went_on: list[bool] = field(default_factory=list)
    equal: list[bool] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def kill_rows(campaign: Campaign) -> Iterator[Row]:
    """Kill forked runs, the plain loop, then runs of cold processes."""
    ours = kill_ours(campaign, campaign.amount(500, 5))
    plain = kill_plain(campaign, campaign.amount(200, 5))
    yield Row(
        PART, "random SIGKILL, the same command went on", Count.of_outcomes(ours.went_on),
        Count.of_outcomes(plain.went_on), failures=tuple(ours.failures),
    )  # fmt: skip
    yield Row(
        PART, "killed runs that ended bit-equal", Count.of_outcomes(ours.equal),
        Count.of_outcomes(plain.equal), "weights, average, optimizer, generators, records",
    )  # fmt: skip
    if campaign.quick:
        return
    cold = kill_ours(campaign, 20, cold=True)
    yield Row(
        PART, "the same in cold processes", Count.of_outcomes(cold.went_on),
        note=f"runs bit-equal: {Count.of_outcomes(cold.equal)}", failures=tuple(cold.failures),
    )  # fmt: skip


def kill_ours(campaign: Campaign, number: int, *, cold: bool = False) -> Kills:
    """Kill tiny runs ``number`` times in all; cold processes import everything, as a user's do."""

    def start(run: TinyRun) -> Child:
        if cold:
            return campaign.start(run_cold_command, arguments=run.arguments)
        return campaign.command(run.arguments)

    return _kill_runs(campaign, number, lambda: campaign.tiny_run("killed"), start, TinyRun.equals)


def kill_plain(campaign: Campaign, number: int) -> Kills:
    """Do the same to the student's loop; a run that cannot go on is given up."""

    def start(directory: Path) -> Child:
        return campaign.start(plain_loop.train, directory=str(directory))

    def equal(one: Path, other: Path) -> bool:
        return same(torch.load(one / plain_loop.FILE), torch.load(other / plain_loop.FILE))

    return _kill_runs(campaign, number, lambda: campaign.directory("plain"), start, equal)


def _kill_runs(
    campaign: Campaign,
    number: int,
    make: Callable[[], R],
    start: Callable[[R], Child],
    equal: Callable[[R, R], bool],
) -> Kills:
    """Kill and restart runs, uniformly over the time of an undisturbed one.

    Done when there were ``number`` kills and the last run has ended.
    """
    undisturbed = make()
    seconds = start(undisturbed).wait().seconds
    dice, kills, run, num_kills = campaign.dice(PART), Kills(), make(), 0
    after_kill = was_killed = False
    while True:
        child = start(run)
        if num_kills < number:
            campaign.let_run(child, dice.uniform(0, seconds))
            child.signal(signal.SIGKILL)
        ended = child.wait()
        killed = ended.exit_code == 128 + signal.SIGKILL
        num_kills += killed
        if after_kill:
            kills.went_on.append(killed or ended.exit_code == 0)
        after_kill = killed
        was_killed |= killed
        if killed:
            continue
        if was_killed:
            kills.equal.append(ended.exit_code == 0 and equal(run, undisturbed))
            if not kills.equal[-1]:
                kills.failures.append(ended.summary)
        if num_kills >= number:
            return kills
        run, was_killed = make(), False
