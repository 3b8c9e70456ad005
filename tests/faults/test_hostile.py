"""Whatever is made to break its reader is used or refused: calmly, at once, in little memory."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from torture_campaign.fork_server import peak_megabytes
from torture_campaign.hostile import (
    KINDS,
    MOST_MEGABYTES,
    MOST_SECONDS,
    REFUSALS,
    Ground,
    Trial,
    make_trials,
)  # fmt: skip

Run = Callable[..., "tuple[int, str, str]"]
FEW, ALL = 8, pytest.param(130, marks=pytest.mark.slow)
"""Trials of each kind: a thousand in all."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trials", [FEW, ALL])
def test_what_is_hostile_is_used_or_refused(
    trials: int, kind: str, run_main: Run, trained: Path, tmp_path: Path
) -> None:
    ground = Ground(tmp_path, (trained / "runs" / "latest").resolve(), random.Random(kind))
    names, failures = [], []
    for trial in make_trials(kind, ground, trials):
        before, started = peak_megabytes(), time.process_time()  # however busy the machine is
        code, err = attempt(run_main, trial)
        seconds, grown = time.process_time() - started, peak_megabytes() - before
        if code not in REFUSALS or seconds > MOST_SECONDS or grown > MOST_MEGABYTES:
            failures.append(f"{trial.name}: exit {code}, {seconds:.1f} s, {grown:.0f} MB, {err}")
        names.append(trial.name)
    assert failures == []
    assert len(set(names)) == len(names) >= min(trials // 2, 20)


def attempt(run_main: Run, trial: Trial) -> tuple[int, str]:
    """Return the exit code and what was said last; that of a traceback is 1."""
    try:
        code, _, err = run_main(*trial.arguments)
    except Exception as problem:
        return 1, f"{type(problem).__name__}: {problem}"[:300]
    return code, err[-300:]
