"""Bad input through the real command line: right exit code and message, no traceback, no hang."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .bad_configs import BAD_CONFIGS, BAD_OVERRIDES, BOMBS, config_bytes
from .bad_images import UNUSUAL, write_unusable
from .campaign import Campaign
from .children import Ended, HungError
from .rows import Count, Row, count_row

PART = "inputs"
PATIENCE_SECONDS = 5.0
"""Bad input must be refused within this time; the machine may be busy with something else."""
USAGE, DATA = 2, 3


@dataclass
class Attempt:
    """A command that must end with ``exit_code`` and say each of the texts on stderr.

    ended: how it ended; None where it was not tried yet, or did not end in time.
    """

    name: str
    arguments: Sequence[object]
    exit_code: int
    texts: tuple[str, ...] = ()
    ended: Ended | None = None

    def run(self, campaign: Campaign, seconds: float) -> None:
        """Run the command in a forked child, for so long at most."""
        with suppress(HungError):
            self.ended = campaign.command(self.arguments).wait(seconds)

    @property
    def is_calm(self) -> bool:
        """Whether it ended, without a traceback."""
        return self.ended is not None and not self.ended.has_traceback

    @property
    def is_right(self) -> bool:
        """Whether the exit code is the one that is documented, without a traceback."""
        return self.is_calm and self.ended is not None and self.ended.exit_code == self.exit_code

    @property
    def missing_texts(self) -> list[str]:
        """What it should have said and did not."""
        stderr = self.ended.stderr if self.ended else ""
        return [text for text in self.texts if text not in stderr]

    @property
    def complaint(self) -> str:
        """What was expected and what came."""
        if self.ended is None:
            return f"{self.name}: was still running"
        expected = ", ".join([f"exit {self.exit_code}", *self.missing_texts])
        return f"{self.name}: expected {expected}; {self.ended.summary}"


def bad_input_rows(campaign: Campaign) -> Iterator[Row]:
    """Try everything, or every third thing in quick mode."""
    attempts = all_attempts(campaign, campaign.directory("inputs"))[:: campaign.amount(1, 3)]
    for attempt in attempts:
        attempt.run(campaign, PATIENCE_SECONDS)
    failures = ["" if attempt.is_right else attempt.complaint for attempt in attempts]
    yield count_row(PART, "bad and unusual inputs with the right exit code", failures)
    yield Row(PART, "without a traceback", Count.of_outcomes([a.is_calm for a in attempts]))
    seconds, slowest = max(
        (attempt.ended.seconds, attempt.name) for attempt in attempts if attempt.ended
    )
    yield Row(
        PART, f"ended within {PATIENCE_SECONDS:g} s",
        Count.of_outcomes([attempt.ended is not None for attempt in attempts]),
        note=f"the slowest: {slowest}, {seconds:.1f} s",
    )  # fmt: skip
    num_texts = sum(len(attempt.texts) for attempt in attempts)
    num_missing = sum(len(attempt.missing_texts) for attempt in attempts)
    yield Row(
        PART, "config errors located at the exact line and column",
        Count(num_texts - num_missing, num_texts),
        failures=tuple(attempt.complaint for attempt in attempts if attempt.missing_texts),
    )  # fmt: skip


def all_attempts(campaign: Campaign, directory: Path) -> list[Attempt]:
    """Prepare every bad input below ``directory``."""
    return [
        *(config_attempt(directory, name) for name in BAD_CONFIGS),
        *(bomb_attempt(directory, name) for name in BOMBS),
        *(override_attempt(campaign, override) for override in BAD_OVERRIDES),
        *image_attempts(campaign, directory),
    ]


def config_attempt(directory: Path, name: str) -> Attempt:
    """Give a bad config to ``fit``; its errors must name their places."""
    path = directory / f"{name}.yaml"
    path.write_bytes(config_bytes(name))
    texts = tuple(f"error: {path}:{finding}" for finding in BAD_CONFIGS[name][1:])
    return Attempt(f"config: {name}", _dry_run("--config", path), USAGE, texts)


def bomb_attempt(directory: Path, name: str) -> Attempt:
    """Give a config to ``fit`` that is made to exhaust its reader."""
    path = directory / f"bomb-{name}.yaml"
    path.write_bytes(BOMBS[name])
    return Attempt(f"bomb: {name}", _dry_run("--config", path), USAGE, (f"error: {path}:",))


def override_attempt(campaign: Campaign, override: str) -> Attempt:
    """Add a bad override to a good config."""
    arguments = _dry_run("--config", campaign.reference.config_path, "--set", override)
    return Attempt(f"--set {override!r}", arguments, USAGE, (f"error: --set {override}: ",))


def image_attempts(campaign: Campaign, directory: Path) -> list[Attempt]:
    """Give each image to ``predict``, and all of them at once: some can be predicted, some not."""
    command = ["predict", "--checkpoint", campaign.reference.run.path, "--json"]
    codes = dict.fromkeys(write_unusable(directory), DATA) | dict.fromkeys(UNUSUAL, 0)
    for name, (content, _) in UNUSUAL.items():
        (directory / name).write_bytes(content)
    attempts = [
        Attempt(f"image: {name!r}", [*command, directory / name], code)
        for name, code in codes.items()
    ]
    everything = [directory / name for name in codes]
    return [*attempts, Attempt("all images at once", [*command, *everything], DATA)]


def _dry_run(*arguments: object) -> list[object]:
    return ["fit", "--offline", "--dry-run", *arguments]
