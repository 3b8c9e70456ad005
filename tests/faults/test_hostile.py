"""Whatever is made to break its reader is used or refused: calmly, at once, in little memory."""

import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from torture_campaign.hostile import (
    KINDS,
    MOST_MEGABYTES,
    MOST_SECONDS,
    REFUSALS,
    Ground,
    make_trials,
)  # fmt: skip

Run = Callable[..., "tuple[int, str, str]"]
TRIALS = 130
"""Of each kind: a thousand in all."""


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_hostile_is_used_or_refused(
    kind: str, run_main: Run, trained: Path, tmp_path: Path
) -> None:
    ground = Ground(tmp_path, (trained / "runs" / "latest").resolve(), random.Random(kind))
    names = []
    for trial in make_trials(kind, ground, TRIALS):
        before, started = peak_megabytes(), time.process_time()  # however busy the machine is
        code, _, err = run_main(*trial.arguments)
        assert code in REFUSALS, f"{trial.name}: {err}"
        assert time.process_time() - started < MOST_SECONDS, trial.name
        assert peak_megabytes() - before < MOST_MEGABYTES, trial.name
        names.append(trial.name)
    assert len(set(names)) == len(names) >= 20
