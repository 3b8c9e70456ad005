"""The results of the steps: gpu.json for programs, gpu.md for people, always up to date."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.measuring import Spread
from benchmarks.rows import Row, render_markdown

from cnn_train.cli.console import stderr
from cnn_train.machine.atomic_file import write_atomically

JSON, PAGE = "gpu.json", "gpu.md"


@dataclass
class StepResult:
    """One step's end and rows (as :meth:`benchmarks.rows.Row.to_json` writes them).

    state: running, done, failed, ended (its time was over), interrupted (by a signal) or skipped.
    """

    name: str
    state: str = "running"
    why: str = ""
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def went_wrong(self) -> bool:
        """Whether the step did not end by itself, or missed a target."""
        missed = any(row["target"] and not row["target"]["kept"] for row in self.rows)
        return missed or self.state in ("failed", "ended")


@dataclass
class Results:
    """All results so far, written to ``out`` at every change: a kill loses nothing."""

    out: Path
    settings: dict[str, Any]
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    steps: list[StepResult] = field(default_factory=list)
    _clock: float = field(default_factory=time.monotonic, repr=False)

    def begin(self, name: str) -> StepResult:
        """Note that a step has begun."""
        self.steps.append(StepResult(name))
        self._clock = time.monotonic()
        self.save()
        return self.steps[-1]

    def add(self, result: StepResult, row: dict[str, Any]) -> None:
        """Note one row of a step under way."""
        result.rows.append(row)
        result.seconds = time.monotonic() - self._clock
        self.save()

    def end(self, result: StepResult, state: str, why: str = "") -> None:
        """Note how a step ended, and say so on the screen."""
        result.state, result.why = state, why
        result.seconds = time.monotonic() - self._clock
        self.save()
        line = f"{result.name}: {state} after {result.seconds:.0f} s, {len(result.rows)} rows"
        stderr.print(f"{line}{'; ' if why else ''}{why}", soft_wrap=True)

    def save(self) -> None:
        """Write both files, whole or not at all."""
        document = {
            "started": self.started,
            "settings": self.settings,
            "steps": [asdict(step) for step in self.steps],
        }
        write_atomically(self.out / JSON, (json.dumps(document, indent=2) + "\n").encode())
        write_atomically(self.out / PAGE, render_page(document).encode())


def render_page(document: dict[str, Any]) -> str:
    """Write the document as a page: a table for each step."""
    settings = ", ".join(f"{name} {value}" for name, value in document["settings"].items())
    parts = [f"# Figures from a GPU\n\nStarted {document['started']}; {settings}.\n"]
    for step in document["steps"]:
        why = f": {step['why']}" if step["why"] else ""
        parts.append(f"## {step['name']}\n\n{step['state']}{why} ({step['seconds']:.0f} s)\n")
        if step["rows"]:
            parts.append(render_markdown(merge_samples(map(Row.from_json, step["rows"]))))
    return "\n".join(parts)


def merge_samples(rows: Iterable[Row]) -> list[Row]:
    """Make one row of all samples of a figure, with mean and standard deviation in its note."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        is_sample = not (row.note or row.target or row.ratio)
        groups.setdefault((row.name, row.unit) if is_sample else id(row), []).append(row)
    return [_merge(group) if len(group) > 1 else group[0] for group in groups.values()]


def _merge(group: list[Row]) -> Row:
    samples = [row.ours.median for row in group]
    note = f"n = {len(samples)}, mean {mean(samples):.4g}, standard deviation {stdev(samples):.2g}"
    first = group[0]
    return Row(first.part, first.name, first.unit, Spread.of(samples), note=note)
