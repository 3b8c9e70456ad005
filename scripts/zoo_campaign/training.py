"""One row and seed, trained as a user does: by ``cnn-train fit``, in a process of its own."""

import ctypes
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cnn_train.data.dataset import DataAccess
from cnn_train.errors import CnnTrainError
from cnn_train.runs.directory import RunDirectory, newest_run

from .recipes import Recipe
from .records import CIFAR10, Facts, settings_of

LOCKED = 7
"""The exit code of ``fit`` where another process trains the run."""

PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that a process gets when its parent ends."""


class NotDoneError(Exception):
    """Training has not come to its end: the message says why; it goes on the next time."""


@dataclass(frozen=True)
class Place:
    """Where a campaign works.

    images: a folder with train/<class>/<image> and test alike; None: CIFAR-10 itself. folder: of
    the runs and results. data_dir: where datasets are kept. more: settings that a GPU or a test
    adds.
    """

    images: Path | None
    folder: Path
    data_dir: Path
    device: str = "auto"
    offline: bool = False
    more: tuple[str, ...] = ()

    @property
    def images_name(self) -> str:
        """What the images are called in the table."""
        return self.images.name if self.images else CIFAR10

    def settings(self, recipe: Recipe, root: str = "") -> tuple[str, ...]:
        """Return all that is set beside the config; root: what to call the folder of images."""
        if self.images is None:
            return (*recipe.settings, *self.more)
        data = recipe.data(name="folder", root=root or str(self.images))
        return (*recipe.settings, data, *self.more)

    def access(self) -> DataAccess:
        """Return where decoded images are kept."""
        return DataAccess(self.data_dir, offline=self.offline)


def run_name(recipe: Recipe, seed: int, place: Place) -> str:
    """Return what a row's run is called: another recipe, and other images, begin a new one."""
    decided = {"images": place.images_name} | settings_of(recipe, *place.more)
    digest = hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()
    return f"{recipe.name}-seed{seed}-{digest[:6]}"


def fit_words(recipe: Recipe, seed: int, settings: Sequence[str]) -> list[str]:
    """Return the words after ``cnn-train`` that train a row's seed."""
    sets = [word for one in settings for word in ("--set", one)]
    return ["fit", "--config", recipe.config, "--seed", str(seed), *sets]


def shown_command(recipe: Recipe, seed: int, place: Place) -> str:
    """Return what a user types to train it, beside the folder of images."""
    settings = place.settings(recipe, place.images_name)
    return shlex.join(["cnn-train", *fit_words(recipe, seed, settings)])


def train(
    recipe: Recipe, seed: int, place: Place, limit: float | None
) -> tuple[RunDirectory, Facts]:
    """Run ``cnn-train fit`` until it is done; return its run, and what only its process knows.

    What it says lies beside the run, ``NAME.log``. Raises NotDoneError where another process trains
    the run or ``limit`` seconds have passed, CnnTrainError where it fails.
    """
    root, name = place.folder / "runs", run_name(recipe, seed, place)
    is_new = newest_run(root, name) is None
    words = [
        *fit_words(recipe, seed, place.settings(recipe)), "--name", name, "--resume", "auto",
        "--run-root", str(root), "--data-dir", str(place.data_dir), "--device", place.device,
        "--json", *(["--offline"] if place.offline else []),
    ]  # fmt: skip
    log = root / f"{name}.log"
    root.mkdir(parents=True, exist_ok=True)
    started, before = time.monotonic(), processor_seconds()
    with fitting([sys.executable, "-m", "cnn_train", *words], log) as process:
        try:
            stdout, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise NotDoneError("out of time; stopped") from None
    seconds, after = time.monotonic() - started, processor_seconds()
    if process.returncode == LOCKED:
        raise NotDoneError("another process is training it")
    if process.returncode:
        said = log.read_text("utf-8", "replace").strip().rpartition("\n")[2].strip()
        raise CnnTrainError(said or f"fit ended with {process.returncode}; see {log}")
    run = RunDirectory(Path(json.loads(stdout)["run_dir"]))
    if not is_new:  # earlier processes trained some of it
        return run, {}
    cores = {key: (after[key] - before[key]) / seconds for key in after}
    return run, {"command_seconds": seconds, **cores}


def processor_seconds() -> dict[str, float]:
    """Return how long processors have worked for our ended children, and for all others.

    The others' time is known on Linux alone; what a hypervisor gave to another machine is theirs.
    """
    ours = sum(os.times()[2:4])
    try:
        line = Path("/proc/stat").read_text("ascii").partition("\n")[0]
    except OSError:
        return {"own_cores": ours}
    user, nice, system, _idle, _waiting, irq, soft, stolen = map(int, line.split()[1:9])
    ticks = user + nice + system + irq + soft + stolen
    return {"own_cores": ours, "other_cores": ticks / os.sysconf("SC_CLK_TCK") - ours}


@contextmanager
def fitting(arguments: Sequence[str], log: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that the terminal's Ctrl-C does not reach; stderr goes into ``log``.

    However the block ends, the process saves and stops; on Linux also when we are killed.
    """
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True,
            process_group=0, preexec_fn=end_with_parent,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def end_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
