"""What a cluster does to a job: SIGTERM, SIGKILL after a delay, the same command again."""

import signal
from collections.abc import Iterator

from .campaign import Campaign
from .rows import Row, count_row
from .tiny_run import CONFIG

PART = "requeue"
NUM_PREEMPTIONS = 10
LONG_CONFIG = CONFIG.replace("epochs: 4", "epochs: 12")
"""Ten preemptions must find it unfinished."""


def requeue_rows(campaign: Campaign) -> Iterator[Row]:
    """Preempt runs ten times each, then let them end."""
    times, config = (2, CONFIG) if campaign.quick else (NUM_PREEMPTIONS, LONG_CONFIG)
    numbers = range(campaign.amount(8, 1))
    outcomes = [preempt(campaign, number, times, config) for number in numbers]
    codes = [code for exit_codes, _ in outcomes for code in exit_codes]
    failures = [failure for _, failure in outcomes]
    note = f"{codes.count(128 + signal.SIGTERM)} ended by SIGTERM with 143, "
    note += f"{codes.count(128 + signal.SIGKILL)} had to be killed"
    yield count_row(PART, f"preempted {times} times and requeued: bit-equal", failures, note=note)


def preempt(campaign: Campaign, number: int, times: int, config: str) -> tuple[list[int], str]:
    """Send SIGTERM at random moments and SIGKILL soon after: at times before all is saved.

    Returns the exit codes, and why the run did not end bit-equal, if so.
    """
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
    is_equal = ended.exit_code == 0 and run.equals(reference)
    return exit_codes, "" if is_equal else ended.summary
