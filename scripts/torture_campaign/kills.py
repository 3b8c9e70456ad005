"""SIGKILL at random moments of real runs: each goes on with the same command until it ends."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .campaign import Campaign
from .children import Child, Ended, campaign_environment
from .plain_loop import FILE
from .rows import Count, Row
from .tiny_run import TinyRun, same

R = TypeVar("R")

PART = "kills"
PLAIN = "torture_campaign.plain_loop:train"


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
    """Kill forked runs, then runs of cold processes, then the plain loop."""
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
    cold = kill_cold(campaign, 20)
    yield Row(
        PART, "the same in cold processes", Count.of_outcomes(cold.went_on),
        note=f"runs bit-equal: {Count.of_outcomes(cold.equal)}", failures=tuple(cold.failures),
    )  # fmt: skip


def kill_ours(campaign: Campaign, number: int) -> Kills:
    """Kill tiny runs ``number`` times in all, uniformly over an undisturbed run's time."""
    reference = campaign.reference

    def start(run: TinyRun) -> Child:
        return campaign.command(run.arguments)

    return _kill_runs(
        campaign, number, campaign.run_seconds, lambda: campaign.tiny_run("killed"), start,
        lambda run: run.equals(reference),
    )  # fmt: skip


def kill_plain(campaign: Campaign, number: int) -> Kills:
    """Do the same to the student's loop; a run that cannot go on is given up."""
    import torch

    def start(directory: Path) -> Child:
        return campaign.server.start(PLAIN, {"directory": str(directory)})

    undisturbed = campaign.directory("plain")
    seconds = start(undisturbed).wait().seconds
    final = torch.load(undisturbed / FILE)
    return _kill_runs(
        campaign, number, seconds, lambda: campaign.directory("plain"), start,
        lambda directory: same(torch.load(directory / FILE), final),
    )  # fmt: skip


def _kill_runs(
    campaign: Campaign,
    number: int,
    seconds: float,
    make: Callable[[], R],
    start: Callable[[R], Child],
    is_equal: Callable[[R], bool],
) -> Kills:
    """Kill and restart runs until there were ``number`` kills and the last run has ended."""
    dice, found, run, num_kills = campaign.dice(PART), Kills(), make(), 0
    after_kill = was_killed = False
    while True:
        child = start(run)
        ended = None
        if num_kills < number:
            campaign.let_run(child, dice.uniform(0, seconds))
            ended = child.kill_and_wait()
        else:
            ended = child.wait()
        killed = ended.exit_code == 128 + signal.SIGKILL
        num_kills += killed
        if after_kill:
            found.went_on.append(killed or ended.exit_code == 0)
        after_kill = killed
        was_killed |= killed
        if killed:
            continue
        if was_killed:
            _note_end(found, ended, ended.exit_code == 0 and is_equal(run))
        if num_kills >= number:
            return found
        run, was_killed = make(), False


def _note_end(found: Kills, ended: Ended, is_equal: bool) -> None:
    found.equal.append(is_equal)
    if not is_equal:
        found.failures.append(f"exit {ended.exit_code}: {ended.stderr.strip()[-300:]}")


def kill_cold(campaign: Campaign, number: int) -> Kills:
    """Kill runs that start from nothing, as a user's do: once each, then the command again."""
    dice, found, reference = campaign.dice("cold kills"), Kills(), campaign.reference
    seconds = _cold_seconds(campaign)
    run = campaign.tiny_run("cold")
    for _ in range(number):
        process = _start_cold(run)
        time.sleep(dice.uniform(0, seconds))
        process.kill()
        process.communicate()
        again = _start_cold(run)
        _, stderr = again.communicate()
        found.went_on.append(again.returncode == 0)
        ended = Ended(again.returncode, "", stderr, 0.0)
        _note_end(found, ended, again.returncode == 0 and run.equals(reference))
        run = campaign.tiny_run("cold")
    return found


def _cold_seconds(campaign: Campaign) -> float:
    run = campaign.tiny_run("cold")
    started = time.monotonic()
    _start_cold(run).communicate()
    return time.monotonic() - started


def _start_cold(run: TinyRun) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        run.cold_command,
        env=campaign_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
