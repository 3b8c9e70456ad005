"""Follow a run that another process trains, by the files that it writes."""

from collections.abc import Callable, Iterator
from itertools import takewhile
from operator import eq

from .directory import RunDirectory
from .lock import is_locked


def follow(run: RunDirectory, wait: Callable[[], object]) -> Iterator[dict[str, float]]:
    """Yield the record of each epoch, those done and those to come, until the run's lock is free.

    ``wait`` is called where there is nothing new. Of a run that was set back, epochs come again.
    Raises CheckpointError where its metrics are damaged.
    """
    shown: list[dict[str, float]] = []
    while True:
        goes_on = is_locked(run.path)  # asked first: its last record is written before its end
        records = run.load_metrics()
        known = len([*takewhile(lambda pair: eq(*pair), zip(shown, records, strict=False))])
        yield from records[known:]
        shown = records
        if not goes_on:
            return
        if known == len(records):
            wait()
