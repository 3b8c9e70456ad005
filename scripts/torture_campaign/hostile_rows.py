"""What is made to break its reader, through the real command line, counted by kind."""

from collections.abc import Iterator
from itertools import islice

from .campaign import Campaign
from .children import HungError
from .hostile import KINDS, MOST_MEGABYTES, MOST_SECONDS, REFUSALS, Ground, Trial, make_trials
from .rows import Row, count_row

PART = "hostile"


def hostile_rows(campaign: Campaign) -> Iterator[Row]:
    """Try many things of each kind; each must be used or refused, calmly and at once."""
    run = campaign.reference.run.path
    for kind, what in KINDS.items():
        ground = Ground(campaign.directory(kind), run, campaign.dice(kind))
        number = campaign.amount(130, 6)
        trials = islice(make_trials(kind, ground, number), number)
        yield count_row(PART, what, [_complaint(campaign, trial) for trial in trials])


def _complaint(campaign: Campaign, trial: Trial) -> str:
    """Run the command in a forked child; say what was wrong with its end, if anything was."""
    try:
        ended = campaign.command(trial.arguments).wait(MOST_SECONDS)
    except HungError as problem:
        return f"{trial.name}: {problem}"
    if ended.has_traceback or ended.exit_code not in REFUSALS:
        return f"{trial.name}: {ended.summary}"
    if ended.megabytes > MOST_MEGABYTES:
        return f"{trial.name}: took {ended.megabytes:.0f} MB"
    return ""
