"""How many cores this process may use."""

import os

MAX_WORKERS = 16  # each holds a file open and a photograph in memory


def count_workers() -> int:
    """Count the cores this process may use, which a container or taskset can limit, up to a cap."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable or 1, MAX_WORKERS)
