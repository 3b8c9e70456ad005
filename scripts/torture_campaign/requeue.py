"""What a cluster does to a job: SIGTERM, SIGKILL after a delay, the same command again."""

import signal
from collections.abc import Iterator

from .campaign import Campaign
from .rows import Count, Row
from .tiny_run import CONFIG

PART = "requeue"
NUM_PREEMPTIONS = 10
LONG_CONFIG = CONFIG.replace("epochs: 4", "epochs: 12")
"""Ten preemptions must find it unfinished."""


def requeue_rows(campaign: Campaign) -> Iterator[Row]:
    """Preempt runs ten times each, then let them end."""
    outcomes, killed, clean, failures = [], 0, 0, []
    times, config = (2, CONFIG) if campaign.quick else (NUM_PREEMPTIONS, LONG_CONFIG)
    for number in range(campaign.amount(8, 1)):
        preempted = preempt(campaign, number, times, config)
        outcomes.append(preempted.equal)
        killed, clean = killed + preempted.killed, clean + preempted.clean
        failures += preempted.failures
    yield Row(
        PART, f"preempted {times} times and requeued: bit-equal", Count.of_outcomes(outcomes),
        note=f"{clean} ended by SIGTERM with 143, {killed} had to be killed",
        failures=tuple(failures),
    )  # fmt: skip


class Preempted:
    """What came of one run's preemptions."""

    def __init__(self) -> None:
        self.equal = False
        self.killed = self.clean = 0
        self.failures: list[str] = []


def preempt(campaign: Campaign, number: int, times: int, config: str) -> Preempted:
    """Send SIGTERM at random moments and SIGKILL soon after: at times before all is saved."""
    dice, found = campaign.dice(f"{PART} {number}"), Preempted()
    run = campaign.tiny_run("requeued", config)
    reference = campaign.undisturbed(campaign.tiny_run("requeued", config))
    seconds = campaign.run_seconds  # measured now, with no child under way
    for _ in range(times):
        child = campaign.command(run.arguments)
        campaign.let_run(child, dice.uniform(0.1, 0.5 * seconds))
        child.signal(signal.SIGTERM)
        campaign.let_run(child, dice.uniform(0, seconds))
        ended = child.kill_and_wait()
        found.killed += ended.exit_code == 128 + signal.SIGKILL
        found.clean += ended.exit_code == 128 + signal.SIGTERM
    ended = campaign.command(run.arguments).wait()
    found.equal = ended.exit_code == 0 and run.equals(reference)
    if not found.equal:
        found.failures.append(f"exit {ended.exit_code}: {ended.stderr[-300:]}")
    return found
