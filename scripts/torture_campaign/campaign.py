"""The settings that every probe of the campaign gets, and the runs that they share."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .children import Child, ForkServer
from .commands import Disturbance, run_command
from .tiny_run import CONFIG, TinyRun


def place_of(function: Callable[..., Any]) -> str:
    """Return ``module:name``, by which the fork server finds a function."""
    return f"{function.__module__}:{function.__name__}"


def sleep_beside(child: Child, seconds: float) -> None:
    """Let a child run for some time, whatever it comes to."""
    time.sleep(seconds)


@dataclass
class Campaign:
    """One run of the campaign.

    quick: a minute in all. scratch: a directory for files, gone afterwards. data_root: real images
    for what saving costs; None: drawn ones. sabotage: what is wrong with every command, by which
    tests see that a probe can fail. let_run: wait for a random moment of a child that is under way.
    remarks: what could not be done here, for the reader.
    """

    quick: bool
    seed: int
    scratch: Path
    server: ForkServer
    data_root: Path | None = None
    sabotage: Disturbance | None = None
    let_run: Callable[[Child, float], None] = sleep_beside
    remarks: list[str] = field(default_factory=list)
    _undisturbed: dict[str, TinyRun] = field(default_factory=dict)

    def amount(self, full: int, quick: int) -> int:
        """Return how many attempts to make."""
        return quick if self.quick else full

    def dice(self, part: str) -> random.Random:
        """Return the random numbers of one part: the same whichever other parts run."""
        return random.Random(f"{self.seed} {part}")

    def directory(self, name: str) -> Path:
        """Make a new directory below the scratch one."""
        number = sum(1 for _ in self.scratch.glob(f"{name}-*"))
        path = self.scratch / f"{name}-{number}"
        path.mkdir(parents=True)
        return path

    def start(self, function: Callable[..., Any], **arguments: Any) -> Child:
        """Start a function of a module in a forked child."""
        return self.server.start(place_of(function), arguments)

    def call(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """Return what a function of a module returns in a forked child, as JSON has it."""
        return self.server.call(place_of(function), **arguments)

    def command(
        self, arguments: Sequence[object], disturb: Callable[..., None] | None = None, **how: Any
    ) -> Child:
        """Start ``cnn-train ARGUMENTS`` in a forked child, which calls ``disturb(**how)`` first."""
        faults = [self.sabotage] if self.sabotage else []
        if disturb:
            faults.append({"call": place_of(disturb), "arguments": how})
        return self.start(run_command, arguments=list(map(str, arguments)), disturbances=faults)

    def tiny_run(self, name: str, config: str = CONFIG) -> TinyRun:
        """Return a tiny run in a directory of its own, not yet started."""
        return TinyRun(self.directory(name), config)

    @cached_property
    def reference(self) -> TinyRun:
        """The tiny run, done without any fault: what every disturbed one must equal."""
        return self.undisturbed(self.tiny_run("reference"))

    def undisturbed(self, run: TinyRun) -> TinyRun:
        """Return a run of the same config as ``run`` that ended without any fault."""
        if run.config not in self._undisturbed:
            ended = self.start(run_command, arguments=run.arguments).wait()
            if ended.exit_code:
                raise RuntimeError(f"the undisturbed run failed: {ended.stderr}")
            self._undisturbed[run.config] = run
        return self._undisturbed[run.config]

    @cached_property
    def two_states(self) -> tuple[str, str]:
        """The files of two successive states of the reference run, the older one first."""
        paths = list(self.reference.run.states.values())
        return str(paths[-2]), str(paths[-1])

    @cached_property
    def run_seconds(self) -> float:
        """How long the undisturbed run takes, from its start to its end, measured once more."""
        run = self.tiny_run("timed")
        started = time.monotonic()
        self.command(run.arguments).wait()
        return time.monotonic() - started
