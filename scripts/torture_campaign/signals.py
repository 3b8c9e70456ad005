"""Signals in every phase of a run: saved, gone within seconds, nothing left behind, bit-equal."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.sample_images import write_jpegs

from .campaign import Campaign
from .children import Child, HungError, wait_until
from .phases import linger_at
from .rows import Count, Row
from .tiny_run import CONFIG, TinyRun

PART = "signals"
PATIENCE_SECONDS = 5.0
LINGER_SECONDS = 0.2
"""How long a phase is held at the moment of the signal, so that it is met there."""

NTH = {"start-up": 1, "data decoding": 20, "training": 8, "evaluation": 2, "save": 9}
"""At which call of its function each phase is met; before the saves come those of small files."""

SAVING_PHASES = ("training", "evaluation", "save")
"""Phases in which there is something to lose."""


@dataclass(frozen=True)
class Stop:
    """What came of one signal: each fact is true if all went well, None if it does not apply.

    exit_code: 128 + the signal's number, without a traceback. saved: every update made before is in
    the checkpoint. alone: no process was left behind. equal: the same command ended bit-equal.
    """

    in_time: bool
    exit_code: bool | None = None
    saved: bool | None = None
    alone: bool | None = None
    equal: bool | None = None
    seconds: float = 0.0
    failure: str = ""


def signal_rows(campaign: Campaign) -> Iterator[Row]:
    """Stop runs in each phase by SIGTERM and SIGINT; then SIGUSR1, and second signals."""
    signals = (signal.SIGTERM, signal.SIGINT)[: campaign.amount(2, 1)]
    stops = [
        stop_in_phase(campaign, phase, signum)
        for _ in range(campaign.amount(2, 1))
        for phase in NTH
        for signum in signals
    ]
    slowest = max(stop.seconds for stop in stops)
    notes = {"exit_code": ", ".join(NTH), "in_time": f"the slowest took {slowest:.2f} s, "
             f"{LINGER_SECONDS:g} s of them held"}  # fmt: skip
    failures = tuple(stop.failure for stop in stops if stop.failure)
    for fact, name in {
        "exit_code": "stopped in each phase: exit code 143 or 130",
        "in_time": f"gone within {PATIENCE_SECONDS:g} s",
        "saved": "checkpoint there, no step lost",
        "alone": "no process left behind",
        "equal": "gone on with: bit-equal",
    }.items():
        outcomes = [getattr(stop, fact) for stop in stops]
        count = Count.of_outcomes([good for good in outcomes if good is not None])
        yield Row(PART, name, count, note=notes.get(fact, ""), failures=failures)
        failures = ()  # said once
    saved = [save_on_signal(campaign, phase) for phase in SAVING_PHASES[: campaign.amount(3, 1)]]
    yield Row(PART, "SIGUSR1: saved, went on, bit-equal", Count.of_outcomes(saved))
    twice = [stop_twice(campaign, first) for first in signals]
    yield Row(PART, "a second signal ends it at once, then bit-equal", Count.of_outcomes(twice))


def stop_in_phase(campaign: Campaign, phase: str, signum: int) -> Stop:
    """Send the signal in the phase; see how the run ends and how it goes on."""
    run = _run_for(campaign, phase)
    child = start_lingering(campaign, run, phase)
    sent_at = child.seconds
    child.signal(signum)
    try:
        ended = child.wait(30)
    except HungError as hung:
        return Stop(in_time=False, failure=f"{phase}: {hung}")
    alone, saved = not child.leaves_orphans(), _has_saved(run, phase)
    again = campaign.command(run.arguments).wait()
    exit_code = ended.exit_code == 128 + signum and not ended.has_traceback
    equal = again.exit_code == 0 and run.equals(campaign.undisturbed(_run_for(campaign, phase)))
    name = signal.Signals(signum).name
    summary = f"{name} in {phase}: {ended.summary}; then {again.summary}"
    failure = "" if exit_code and equal and alone else summary
    seconds = ended.seconds - sent_at
    return Stop(seconds <= PATIENCE_SECONDS, exit_code, saved, alone, equal, seconds, failure)


def start_lingering(
    campaign: Campaign, run: TinyRun, phase: str, seconds: float = LINGER_SECONDS
) -> Child:
    """Start the run and wait until it is held in the phase."""
    reached = run.directory / "reached"
    where = {"phase": phase, "nth": NTH[phase], "file": str(reached)}
    child = campaign.command(run.arguments, linger_at, seconds=seconds, **where)
    wait_until(reached.exists, f"a run in {phase}")
    return child


def _has_saved(run: TinyRun, phase: str) -> bool | None:
    """Say whether the checkpoint holds every update that was made before the signal."""
    if phase not in SAVING_PHASES:
        return None
    return run.last().step >= (NTH[phase] - 1 if phase == "training" else 1)


def save_on_signal(campaign: Campaign, phase: str) -> bool:
    """Ask for a save in the phase; the run is to save and to go on to its end."""
    run = campaign.tiny_run("saved")
    child = start_lingering(campaign, run, phase)
    child.signal(signal.SIGUSR1)
    ended = child.wait()
    return ended.exit_code == 0 and "saving" in ended.stderr and run.equals(campaign.reference)


def stop_twice(campaign: Campaign, first: int) -> bool:
    """Ask to stop, and ask again while the run is held: it ends before it could have saved."""
    run = campaign.tiny_run("twice")
    child = start_lingering(campaign, run, "training", 4 * PATIENCE_SECONDS)
    child.signal(first)
    child.wait_until_said("stopping")
    child.signal(signal.SIGINT)
    ended = child.wait(PATIENCE_SECONDS)
    again = campaign.command(run.arguments).wait()
    return (
        ended.exit_code in (130, 143) and not ended.has_traceback and not child.leaves_orphans()
        and again.exit_code == 0 and run.equals(campaign.reference)
    )  # fmt: skip


FOLDER_CONFIG = CONFIG.replace(
    "{name: shapes, num_train: 80, num_test: 40, image_size: 16}",
    "{name: folder, root: ROOT, image_size: 16}",
)


def _run_for(campaign: Campaign, phase: str) -> TinyRun:
    """Return the tiny run; where files are to be decoded, one on image files."""
    if phase != "data decoding":
        return campaign.tiny_run("stopped")
    root = campaign.scratch / "pictures"
    if not root.exists():
        write_jpegs(root / "train", 80)
    return campaign.tiny_run("stopped", FOLDER_CONFIG.replace("ROOT", str(root)))
