"""The paths inside ``runs/<name>-<time>-<id>/``, and the search for runs."""

import errno
import json
import re
import secrets
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from os.path import exists, isdir, isfile  # they never raise; False where one may not look
from pathlib import Path
from typing import Annotated

from pydantic import FailFast, FiniteFloat, TypeAdapter

from ..checkpoints.pretrained import locate
from ..errors import CheckpointError, UsageError
from ..machine.atomic_file import write_anew
from ..machine.regular_file import read_regular
from .damage import damage_named
from .history import HISTORY, choose_state, run_folder, split_step, state_name, states_in
from .lock import locked

LATEST, BEST = "latest", "best"
RECORDS = TypeAdapter(Annotated[list[dict[str, FiniteFloat]], FailFast()])
MOST_METRICS_BYTES = 10_000_000  # of 28,000 epochs
MADE = re.compile(r"(.*)-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[0-9a-f]{4}", re.DOTALL)


def check_name(name: str, option: str = "--name") -> None:
    """Raise UsageError where a run's or a sweep's name is no file name."""
    if not name or "/" in name or "\\" in name or name.startswith("."):
        raise UsageError(f"{option} {name}: use letters, digits, '-' and '_'")


@dataclass
class RunDirectory:
    """The files of one run."""

    path: Path

    def __post_init__(self) -> None:
        self.given_config = self.path / "config.yaml"  # as the user wrote it
        self.resolved_config = self.path / "resolved.yaml"  # all settings, defaults included
        self.environment = self.path / "environment.json"  # versions, device and precision
        self.metrics = self.path / "metrics.jsonl"  # an object per completed epoch
        self.last_checkpoint = self.path / "last.ckpt"  # what --resume goes on from
        self.best_checkpoint = self.path / "best.ckpt"  # of the end of the best epoch
        self.divergence = self.path / "diverged.json"  # where and on which images, if it did
        self.learning_curves = self.path / "learning_curves.png"
        self.origin = self.path / "branch.json"  # where it left another run, if it did

    def state(self, step: int) -> Path:
        """Return where the state after ``step`` updates is kept."""
        return self.path / state_name(step)

    def kept(self, step: int) -> Path:
        """Return where the state after ``step`` updates stays, if it does."""
        return self.path / HISTORY / state_name(step)

    @property
    def states(self) -> dict[int, Path]:
        """The newest checkpoints, by their number of updates, oldest first."""
        return states_in(self.path)

    @property
    def history(self) -> dict[int, Path]:
        """The checkpoints that stay, by their number of updates, oldest first."""
        return states_in(self.path / HISTORY)

    @property
    def every_state(self) -> dict[int, Path]:
        """The newest checkpoints and those that stay, oldest first; each update once."""
        return dict(sorted((self.history | self.states).items()))

    @property
    def can_go_on(self) -> bool:
        """Whether there is any checkpoint to resume from."""
        return self.last_checkpoint.exists() or bool(self.every_state)

    @property
    def started(self) -> str | None:
        """When the run was made, as its name says: local time, ISO 8601; None once renamed."""
        match = MADE.fullmatch(self.path.name)
        return "{}-{}-{}T{}:{}:{}".format(*match.groups()[1:]) if match else None

    @property
    def name(self) -> str:
        """What the run was called when it was made, without its time."""
        match = MADE.fullmatch(self.path.name)
        return match[1] if match else self.path.name

    @classmethod
    def create(cls, root: Path, name: str) -> "RunDirectory":
        """Make a new directory that no other run has, and point ``root/latest`` at it.

        Raises UsageError where ``name`` is no file name or ``root`` cannot be written to.
        """
        check_name(name)
        stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
        try:
            root.mkdir(parents=True, exist_ok=True)
            while True:
                path = root / f"{stem}-{secrets.token_hex(2)}"
                with suppress(FileExistsError):
                    path.mkdir()
                    break
        except OSError as problem:
            is_name = problem.errno == errno.ENAMETOOLONG and stem in str(problem.filename)
            option = f"--name {name}" if is_name else f"--run-root {root}"
            reason = f"cannot make a run directory ({problem.strerror})"
            raise UsageError(f"{option}: {reason}") from None
        run = cls(path)
        run.mark_latest()
        return run

    def mark_latest(self) -> None:
        """Point ``latest`` beside this run at it, in one step; without links, do nothing."""
        link = self.path.parent / LATEST
        temporary = self.path.parent / f".{LATEST}-{secrets.token_hex(4)}"
        try:
            temporary.symlink_to(self.path.name)
            temporary.replace(link)
        except OSError:
            temporary.unlink(missing_ok=True)

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other process from training in this run; see :func:`~.lock.locked`."""
        return locked(self.path)

    def save_metrics(self, records: Sequence[Mapping[str, float]]) -> None:
        """Write the records of all completed epochs, as a whole: no line is ever incomplete."""
        lines = "".join(json.dumps(dict(record), allow_nan=False) + "\n" for record in records)
        write_anew(self.metrics, lines.encode())

    def load_metrics(self) -> list[dict[str, float]]:
        """Read the records of completed epochs but a torn last one; raises CheckpointError."""
        with damage_named(self.metrics), suppress(FileNotFoundError):
            content = read_regular(self.metrics, MOST_METRICS_BYTES)
            lines = [line for line in content.splitlines() if line.strip()]
            if lines and not content.endswith((b"}", b"\n")):
                del lines[-1]
            return RECORDS.validate_json(b"[" + b",\n".join(lines) + b"]", strict=True)
        return []

    @property
    def num_recorded(self) -> int:
        """How many epochs the metrics tell of; 0 where they are damaged: checkpoints have all."""
        try:
            return len(self.load_metrics())
        except CheckpointError:
            return 0


def _open_run(directory: Path) -> RunDirectory:
    """Return the run there; raises CheckpointError where one of its files is something else."""
    run = RunDirectory(directory.resolve())
    with damage_named(directory):
        for path in vars(run).values():
            if path != run.path and path.exists() and not path.is_file():
                raise CheckpointError(f"{path}: not a file, as it is in every run; move it away")
    return run


def at_best(path: Path) -> Path:
    """Return the directory of the best run for ``runs/best``, which is no file; else ``path``."""
    if path.name != BEST or exists(path) or not list_runs(path.parent):  # noqa: PTH110
        return path
    from .naming import best_run  # it reads the runs that are found here

    return best_run(path.parent).path


def find_run(path: Path) -> RunDirectory:
    """Return the run at ``path``: its directory, or a checkpoint file inside it.

    Raises CheckpointError where there is no run with a checkpoint.
    """
    path = at_best(path)
    run = _open_run(path if isdir(path) else run_folder(path))  # noqa: PTH112
    file = locate(path)
    if not exists(file) or not run.can_go_on:  # noqa: PTH110
        advice = f"`{_list_command(path)}` lists runs"
        if isfile(file):  # noqa: PTH113
            advice = (
                "start a new run from its weights: fit --config CONFIG --weights "
                f"{shlex.quote(str(path))}"
            )
        raise CheckpointError(f"{path}: no run with a checkpoint; {advice}")
    return run


def find_checkpoint(path: Path) -> Path:
    """Return ``path`` itself, the best checkpoint of a run directory, or the state ``RUN@STEP``.

    Raises CheckpointError for a run without it, such as before its first epoch is complete.
    """
    path, step = split_step(path)
    path = at_best(path)
    if step is not None:
        run = find_run(path)
        with damage_named(path):
            return choose_state(run.every_state, step, path)
    if not isdir(path):  # noqa: PTH112
        return path
    run = _open_run(path)
    if run.best_checkpoint.exists():
        return run.best_checkpoint
    if run.last_checkpoint.exists():
        raise CheckpointError(
            f"{path}: no best checkpoint in it until an epoch is complete; wait for it, or go on "
            f"with: cnn-train fit --resume {shlex.quote(str(path))}"
        )
    raise CheckpointError(f"{path}: no checkpoint in it; `{_list_command(path)}` lists runs")


def with_root(command: str, root: Path) -> str:
    """Add the root of the runs to a command that the user is told, unless it is the usual one."""
    return command if root == Path("runs") else f"{command} --run-root {shlex.quote(str(root))}"


def _list_command(path: Path) -> str:
    """Return the command that lists the runs beside ``path``, where there are any."""
    return with_root("cnn-train runs", path.parent if list_runs(path.parent) else Path("runs"))


def latest_best_checkpoint(root: Path) -> Path | None:
    """Return the best checkpoint of the run started or resumed last below ``root``, if any."""
    runs = [*list_runs(root), RunDirectory(root / LATEST)]
    runs = [run for run in runs if exists(run.best_checkpoint)]  # noqa: PTH110
    return find_checkpoint(runs[-1].path) if runs else None


def runs_named(root: Path, name: str) -> list[RunDirectory]:
    """Return the runs below ``root`` started under ``name`` that can go on, newest first."""
    made = [run for run in list_runs(root) if run.started and run.name == name]
    return [run for run in reversed(made) if run.can_go_on]


def newest_run(root: Path, name: str) -> RunDirectory | None:
    """Return the newest run below ``root`` that was started under ``name`` and can go on."""
    return next(iter(runs_named(root, name)), None)


def list_runs(root: Path) -> list[RunDirectory]:
    """Return the runs below ``root``, oldest first; a folder that is closed to us is none."""
    with damage_named(root):
        paths = root.iterdir() if isdir(root) else ()  # noqa: PTH112
        folders = [RunDirectory(path) for path in paths if path.is_dir() and not path.is_symlink()]
        runs = [run for run in folders if exists(run.resolved_config)]  # noqa: PTH110
        return sorted(runs, key=lambda run: (run.resolved_config.stat().st_mtime_ns, str(run.path)))
