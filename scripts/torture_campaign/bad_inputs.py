"""Bad input of every kind through the real command line: right exit code, no traceback, no hang."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .bad_configs import BAD_CONFIGS, BAD_OVERRIDES, BadConfig
from .bad_data import OUTSIDE, bad_data_sets
from .bad_images import make_images
from .campaign import Campaign
from .children import Ended, HungError
from .phases import wait_for_file
from .rows import Count, Row

PART = "inputs"
PATIENCE_SECONDS = 5.0
"""Bad input must be refused within this time; the machine may be busy with something else."""
USAGE, DATA, CHECKPOINT, RESOURCE, LOCKED = 2, 3, 4, 6, 7


@dataclass(frozen=True)
class Attempt:
    """A command that is to end with a code; ``places``: what its errors must name."""

    name: str
    arguments: Sequence[object]
    exit_code: int
    places: tuple[str, ...] = ()
    stdout: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; ``ended`` is None where it hung."""

    attempt: Attempt
    ended: Ended | None

    @property
    def is_right(self) -> bool:
        """Whether the exit code is the one that is documented, without a traceback."""
        ended = self.ended
        return (
            ended is not None
            and ended.exit_code == self.attempt.exit_code
            and not ended.has_traceback
        )

    @property
    def seconds(self) -> float:
        """How long it took; 0 where it hung."""
        return self.ended.seconds if self.ended else 0.0

    @property
    def num_located(self) -> int:
        """How many of the places are named."""
        said = self.ended.stderr if self.ended else ""
        return sum(f"{place}: " in said for place in self.attempt.places)

    def complaint(self) -> str:
        """Say what was expected and what came."""
        if self.ended is None:
            return f"{self.attempt.name}: still running after {PATIENCE_SECONDS:g} s"
        said = self.ended.stderr.strip()[-200:]
        wanted = f"exit {self.attempt.exit_code} {' '.join(self.attempt.places)}".strip()
        return f"{self.attempt.name}: wanted {wanted}; exit {self.ended.exit_code}: {said}"


def bad_input_rows(campaign: Campaign) -> Iterator[Row]:
    """Try them all, or every third of them in quick mode, and a run that another one is in."""
    attempts = all_attempts(campaign, campaign.directory("inputs"))
    outcomes = [try_attempt(campaign, one) for one in attempts[:: campaign.amount(1, 3)]]
    outcomes.append(try_locked(campaign))
    wrong = [outcome.complaint() for outcome in outcomes if not outcome.is_right]
    yield Row(
        PART, "bad and unusual inputs with the right exit code",
        Count.of_outcomes([outcome.is_right for outcome in outcomes]), failures=tuple(wrong),
    )  # fmt: skip
    ends = [outcome.ended for outcome in outcomes]
    calm = [ended is not None and not ended.has_traceback for ended in ends]
    yield Row(PART, "without a traceback", Count.of_outcomes(calm))
    quick = [ended is not None for ended in ends]
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    yield Row(
        PART, f"ended within {PATIENCE_SECONDS:g} s", Count.of_outcomes(quick),
        note=f"the slowest: {slowest.attempt.name}, {slowest.seconds:.1f} s",
    )  # fmt: skip
    escaped = list(campaign.scratch.rglob(OUTSIDE))
    yield Row(PART, "files that archives wrote elsewhere: none", Count(int(not escaped), 1))
    located = [outcome for outcome in outcomes if outcome.attempt.places]
    lost = [one.complaint() for one in located if one.num_located < len(one.attempt.places)]
    yield Row(
        PART, "config errors located at the exact line and column",
        Count(sum(o.num_located for o in located), sum(len(o.attempt.places) for o in located)),
        failures=tuple(lost),
    )  # fmt: skip


def try_attempt(campaign: Campaign, attempt: Attempt) -> Outcome:
    """Run the command in a forked child."""
    child = campaign.command(attempt.arguments, stdout=attempt.stdout)
    try:
        return Outcome(attempt, child.wait(PATIENCE_SECONDS))
    except HungError:
        return Outcome(attempt, None)


def try_locked(campaign: Campaign) -> Outcome:
    """Start a second process in a run while the first one trains."""
    run = campaign.tiny_run("locked")
    reached = run.directory / "reached"
    arguments = {"phase": "training", "nth": 3, "file": str(reached), "seconds": 60}
    disturb = {"call": "torture_campaign.phases:linger_at", "arguments": arguments}
    first = campaign.command(run.arguments, disturb)
    wait_for_file(reached)
    attempt = Attempt("a run that is being trained", ["fit", "--resume", run.run.path], LOCKED)
    outcome = try_attempt(campaign, attempt)
    first.kill_and_wait()
    return outcome


def all_attempts(campaign: Campaign, directory: Path) -> list[Attempt]:
    """Prepare every bad input below ``directory``."""
    return [
        *config_attempts(directory / "configs"),
        *override_attempts(campaign),
        *image_attempts(campaign, directory / "images"),
        *data_attempts(directory / "data"),
        *other_attempts(campaign, directory),
    ]


def config_attempts(directory: Path, configs: Sequence[BadConfig] = BAD_CONFIGS) -> list[Attempt]:
    """Give each config to ``fit``."""
    directory.mkdir()
    attempts = []
    for number, config in enumerate(configs):
        path = directory / f"{number}.yaml"
        path.write_bytes(config.content)
        places = tuple(f"{path}:{line}:{column}" for line, column in config.places)
        attempts.append(Attempt(f"config: {config.name}", _dry("--config", path), USAGE, places))
    (directory / "folder.yaml").mkdir()
    huge = directory / "huge.yaml"
    huge.touch()
    os.truncate(huge, 100_000_000)
    for name in ("huge.yaml", "folder.yaml", "missing.yaml", "a\nb.yaml"):
        path = directory / name
        attempts.append(Attempt(f"config: {name!r}", _dry("--config", path), USAGE))
    return attempts


def _dry(*arguments: object) -> list[object]:
    return ["fit", "--offline", "--dry-run", *arguments]


def override_attempts(campaign: Campaign) -> list[Attempt]:
    """Add each override to a good config."""
    config = campaign.reference.arguments[2]
    return [
        Attempt(f"--set {text!r}", _dry("--config", config, "--set", text), USAGE)
        for text in BAD_OVERRIDES
    ]


def image_attempts(campaign: Campaign, directory: Path) -> list[Attempt]:
    """Give each image to ``predict``, and all of them at once: exit 3, and the good ones named."""
    directory.mkdir()
    images = make_images(directory)
    command = ["predict", "--checkpoint", campaign.reference.run.path, "--json"]
    attempts = [
        Attempt(f"image: {name}", [*command, directory / name], 0 if usable else DATA)
        for name, usable in images.items()
    ]
    everything = [directory / name for name in images]
    return [*attempts, Attempt("all images at once", [*command, *everything], DATA)]


def data_attempts(directory: Path) -> list[Attempt]:
    """Train on data sets that are not what they should be."""
    directory.mkdir()
    tiny = "data: {section}\nmodel: {{name: linear}}\nepochs: 1\nbatch_size: 4\n"
    attempts = []
    for name, section in bad_data_sets(directory).items():
        config = directory / f"{name.replace(' ', '-')}.yaml"
        config.write_text(tiny.format(section=section), "utf-8")
        runs = ["--run-root", directory / "runs", "--data-dir", directory / "cache", "--offline"]
        attempts.append(Attempt(f"data: {name}", ["fit", "--config", config, *runs], DATA))
    return attempts


def other_attempts(campaign: Campaign, directory: Path) -> list[Attempt]:
    """Options, run directories and streams that do not do."""
    config, run = campaign.reference.arguments[2], campaign.reference.run.path
    start = ["fit", "--config", config, "--run-root"]
    file = directory / "a-file"
    file.write_text("no directory")
    (directory / "no-run").mkdir()
    fit = [*start, directory / "runs"]
    attempts = [
        Attempt("run root is a file", [*start, file], USAGE),
        Attempt("run root below a file", [*start, file / "runs"], USAGE),
        Attempt("name with a slash", [*fit, "--name", "a/b"], USAGE),
        Attempt("name of 300 letters", [*fit, "--name", "a" * 300], USAGE),
        Attempt("no command", ["fit"], USAGE),
        Attempt("unknown command", ["fitt"], USAGE),
        Attempt("unknown option", [*fit, "--epochs", "3"], USAGE),
        Attempt("unknown device", [*fit, "--device", "tpu"], USAGE),
        Attempt("GPU number 99", [*fit, "--device", "cuda:99"], USAGE),
        Attempt("no minibatches", [*fit, "--limit-batches", "0"], USAGE),
        Attempt("resume a file", ["fit", "--resume", file], CHECKPOINT),
        Attempt("resume nothing", ["fit", "--resume", directory / "gone"], CHECKPOINT),
        Attempt("resume an empty directory", ["fit", "--resume", directory / "no-run"], CHECKPOINT),
        Attempt(
            "resume with another rate",
            ["fit", "--resume", run, "--config", config, "--set", "optimizer.lr=0.9"], USAGE,
        ),
        Attempt("evaluate nothing", ["evaluate", directory / "gone.ckpt"], CHECKPOINT),
        Attempt("predict with no model", ["predict", file, "--checkpoint", file], CHECKPOINT),
        Attempt("no images", ["predict", "--checkpoint", run, directory / "no-run"], DATA),
    ]  # fmt: skip
    full = Path("/dev/full")
    if full.exists():
        attempts.append(
            Attempt(
                "stdout is full",
                ["runs", "--json", "--run-root", run.parent],
                RESOURCE,
                stdout=full,
            )
        )
    if os.geteuid():
        closed = directory / "closed"
        closed.mkdir(mode=0o500)
        attempts.append(Attempt("run root without permission", [*start, closed], USAGE))
    else:
        campaign.remarks.append("inputs: permissions are not tried, because root may do anything")
    return attempts
