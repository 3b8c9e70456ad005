"""What a cluster does to a job: SIGTERM, SIGKILL after a delay, the same command again."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass

from .campaign import Campaign
from .rows import Count, Row
from .tiny_run import CONFIG

PART = "requeue"
NUM_PREEMPTIONS = 10
LONG_CONFIG = CONFIG.replace("epochs: 4", "epochs: 12")
"""Ten preemptions must find it unfinished."""


@dataclass(frozen=True)
class Preempted:
    """A run that was preempted: its exit codes, and why it did not end bit-equal, if so."""

    exit_codes: list[int]
    failure: str


def requeue_rows(campaign: Campaign) -> Iterator[Row]:
    """Preempt runs ten times each, then let them end."""
    times, config = (2, CONFIG) if campaign.quick else (NUM_PREEMPTIONS, LONG_CONFIG)
    runs = [preempt(campaign, number, times, config) for number in range(campaign.amount(8, 1))]
    codes = [code for run in runs for code in run.exit_codes]
    yield Row(
        PART, f"preempted {times} times and requeued: bit-equal",
        Count.of_outcomes([not run.failure for run in runs]),
        note=f"{codes.count(128 + signal.SIGTERM)} ended by SIGTERM with 143, "
        f"{codes.count(128 + signal.SIGKILL)} had to be killed",
        failures=tuple(run.failure for run in runs if run.failure),
    )  # fmt: skip


def preempt(campaign: Campaign, number: int, times: int, config: str) -> Preempted:
    """Send SIGTERM at random moments and SIGKILL soon after: at times before all is saved."""
    dice, exit_codes = campaign.dice(f"{PART} {number}"), []
    run = campaign.tiny_run("requeued", config)
    reference = campaign.undisturbed(campaign.tiny_run("requeued", config))
    seconds = campaign.run_seconds  # measured now, with no child under way
    for _ in range(times):
        child = campaign.command(run.arguments)
        campaign.let_run(child, dice.uniform(0.1, 0.5 * seconds))
        child.signal(signal.SIGTERM)
        campaign.let_run(child, dice.uniform(0, seconds))
        child.signal(signal.SIGKILL)
        exit_codes.append(child.wait().exit_code)
    ended = campaign.command(run.arguments).wait()
    equal = ended.exit_code == 0 and run.equals(reference)
    return Preempted(
        exit_codes, "" if equal else f"exit {ended.exit_code}: {ended.stderr.strip()[-300:]}"
    )
