"""Signals in every phase of a run: saved, gone within seconds, nothing left behind, bit-equal."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from .campaign import Campaign
from .children import Child, HungError
from .phases import wait_for_file
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


@dataclass
class Stops:
    """What came of some signals; a list's entries are its attempts."""

    exit_codes: list[bool] = field(default_factory=list)
    in_time: list[bool] = field(default_factory=list)
    saved: list[bool] = field(default_factory=list)
    alone: list[bool] = field(default_factory=list)
    equal: list[bool] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0


def signal_rows(campaign: Campaign) -> Iterator[Row]:
    """Stop runs in each phase by SIGTERM and SIGINT; then SIGUSR1, and second signals."""
    stops = Stops()
    for _ in range(campaign.amount(2, 1)):
        for phase in NTH:
            for signum in (signal.SIGTERM, signal.SIGINT)[: campaign.amount(2, 1)]:
                stop_in_phase(campaign, stops, phase, signum)
    failures = tuple(stops.failures)
    yield Row(
        PART, "stopped in each phase: exit code 143 or 130", Count.of_outcomes(stops.exit_codes),
        note=", ".join(NTH), failures=failures,
    )  # fmt: skip
    yield Row(
        PART, f"gone within {PATIENCE_SECONDS:g} s", Count.of_outcomes(stops.in_time),
        note=f"the slowest took {stops.slowest_seconds:.2f} s, {LINGER_SECONDS:g} s of them held",
    )  # fmt: skip
    yield Row(PART, "checkpoint there, no step lost", Count.of_outcomes(stops.saved))
    yield Row(PART, "no process left behind", Count.of_outcomes(stops.alone))
    yield Row(PART, "gone on with: bit-equal", Count.of_outcomes(stops.equal))
    phases = SAVING_PHASES[: campaign.amount(3, 1)]
    again = [save_on_signal(campaign, phase) for phase in phases]
    yield Row(PART, "SIGUSR1: saved, went on, bit-equal", Count.of_outcomes(again))
    firsts = (signal.SIGTERM, signal.SIGINT)[: campaign.amount(2, 1)]
    twice = [stop_twice(campaign, first) for first in firsts]
    yield Row(PART, "a second signal ends it at once, then bit-equal", Count.of_outcomes(twice))


def stop_in_phase(campaign: Campaign, stops: Stops, phase: str, signum: int) -> None:
    """Send the signal in the phase; see how the run ends and how it goes on."""
    run = _run_for(campaign, phase)
    child = start_lingering(campaign, run, phase)
    sent_at = child.seconds
    child.signal(signum)
    try:
        ended = child.wait(30)
    except HungError as hung:
        stops.in_time.append(False)
        stops.failures.append(f"{phase}: {hung}")
        return
    stops.slowest_seconds = max(stops.slowest_seconds, ended.seconds - sent_at)
    stops.in_time.append(ended.seconds - sent_at <= PATIENCE_SECONDS)
    stops.exit_codes.append(ended.exit_code == 128 + signum and not ended.has_traceback)
    stops.alone.append(not child.leaves_orphans())
    if phase in SAVING_PHASES:
        stops.saved.append(_has_saved(run, phase))
    again = campaign.command(run.arguments).wait()
    stops.equal.append(again.exit_code == 0 and run.equals(_reference_for(campaign, phase)))
    if not (stops.exit_codes[-1] and stops.equal[-1] and stops.alone[-1]):
        name = signal.Signals(signum).name
        said = f"{ended.stderr[-300:]} … {again.stderr[-300:]}"
        stops.failures.append(f"{name} in {phase}: exit {ended.exit_code}, then {said}")


def start_lingering(
    campaign: Campaign, run: TinyRun, phase: str, seconds: float = LINGER_SECONDS
) -> Child:
    """Start the run and wait until it is held in the phase."""
    reached = run.directory / "reached"
    arguments = {"phase": phase, "nth": NTH[phase], "file": str(reached), "seconds": seconds}
    disturb = {"call": "torture_campaign.phases:linger_at", "arguments": arguments}
    child = campaign.command(run.arguments, disturb)
    wait_for_file(reached)
    return child


def _has_saved(run: TinyRun, phase: str) -> bool:
    """Say whether the checkpoint holds every update that was made before the signal."""
    last = run.last()
    return last.step >= NTH[phase] - 1 if phase == "training" else last.step > 0


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
        for number in range(80):
            path = root / "train" / f"class-{number % 4}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = bytes((number * 7 + i * i) % 256 for i in range(16 * 16 * 3))
            Image.frombytes("RGB", (16, 16), noise).save(path)
    return campaign.tiny_run("stopped", FOLDER_CONFIG.replace("ROOT", str(root)))


def _reference_for(campaign: Campaign, phase: str) -> TinyRun:
    """Return the undisturbed run on the same images."""
    if phase != "data decoding":
        return campaign.reference
    return campaign.undisturbed(_run_for(campaign, phase))
