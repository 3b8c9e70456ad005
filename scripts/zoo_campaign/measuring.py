"""One row and seed: train as a user does, evaluate once on the test images, note everything.

Shape letters: N examples, K classes.
"""

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, harmonic_mean
from typing import Any

from safetensors.torch import save
from torch.nn.functional import cross_entropy

from cnn_train.data.dataset import DataAccess
from cnn_train.data.image_set import ImageSet, spread_evenly
from cnn_train.errors import CnnTrainError
from cnn_train.evaluation.evaluate import evaluate, load_split
from cnn_train.evaluation.slices import evaluate_slices
from cnn_train.inference.trained_model import TrainedModel, load_trained_model
from cnn_train.inference.views import ViewsName
from cnn_train.models.summary import summarize
from cnn_train.runs.directory import RunDirectory, newest_run

from .recipes import RECIPES, Recipe
from .records import settings_of

VIEWS: tuple[ViewsName, ...] = ("none", "flip_translate")
SEVERITIES = (1, 3, 5)
SLICE_IMAGES = 1_000
"""Test images, evenly spread, that every change of a slice is made to: 42 changes in all."""

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT_KEPT = ("cnn_train", "torch", "python", "device", "processor", "threads", "precision")
LOCKED = 7
"""The exit code of ``fit`` where another process trains the run."""

Facts = dict[str, Any]


class NotDoneError(Exception):
    """Training has not come to its end: the message says why; it goes on the next time."""


@dataclass(frozen=True)
class Place:
    """Where a campaign works.

    images: a folder with train/<class>/<image> and test alike; None: CIFAR-10 itself. folder: of
    the runs and results. data_dir: where datasets are kept. more: settings for tests alone.
    """

    images: Path | None
    folder: Path
    data_dir: Path
    device: str = "auto"
    offline: bool = False
    more: tuple[str, ...] = ()

    def settings(self, recipe: Recipe) -> tuple[str, ...]:
        """Return all that is set beside the config: the recipe's own, the images, ``more``."""
        return (*recipe.settings, *self._images_of(recipe), *self.more)

    def _images_of(self, recipe: Recipe) -> tuple[str, ...]:
        if self.images is None:
            return ()
        share = recipe.load().data.val_fraction
        text = f"data={{name: folder, root: {json.dumps(str(self.images))}, val_fraction: {share}}}"
        return (text,)

    def access(self) -> DataAccess:
        """Return where decoded images are kept."""
        return DataAccess(self.data_dir, offline=self.offline)


def measure(name: str, recipe: Recipe, seed: int, place: Place, limit: float | None) -> Facts:
    """Train one row's seed for at most ``limit`` seconds, or go on; then evaluate it.

    Raises NotDoneError where it is not trained to its end, CnnTrainError where it cannot be.
    """
    run, facts = train(name, recipe, seed, place, limit)
    return assess(recipe, seed, place, run) | facts


def assess(recipe: Recipe, seed: int, place: Place, run: RunDirectory) -> Facts:
    """Return what there is to know of a finished run, its best epoch evaluated on test images."""
    trained = load_trained_model(run.best_checkpoint, place.device)
    images = load_split(trained, "test", place.access())
    return {
        "seed": seed,
        "command": command(recipe, seed, place),
        **describe_run(run, trained),
        **test_facts(trained, images),
        "commit": commit(),
    }


def run_name(name: str, seed: int, place: Place) -> str:
    """Return what a row's run is called: a recipe that was changed begins a new one."""
    settings = json.dumps(settings_of(RECIPES[name], *place.more), sort_keys=True)
    return f"{name}-seed{seed}-{hashlib.sha256(settings.encode()).hexdigest()[:6]}"


def command(recipe: Recipe, seed: int, place: Place) -> str:
    """Return what a user types to train it; the images lie in the folder where it is typed."""
    settings = place.settings(recipe)
    if place.images:
        root = f"root: {json.dumps(str(place.images))}"
        settings = tuple(one.replace(root, f"root: {place.images.name}") for one in settings)
    sets = [word for one in settings for word in ("--set", one)]
    return shlex.join(["cnn-train", "fit", "--config", recipe.config, "--seed", str(seed), *sets])


def train(
    name: str, recipe: Recipe, seed: int, place: Place, limit: float | None
) -> tuple[RunDirectory, Facts]:
    """Run ``cnn-train fit`` until it is done; return its run, and what only its process knows.

    Raises NotDoneError where another process trains it, or after ``limit`` seconds, saved.
    """
    sets = [word for one in place.settings(recipe) for word in ("--set", one)]
    root, run = place.folder / "runs", run_name(name, seed, place)
    is_new = newest_run(root, run) is None
    arguments = [
        "fit", "--config", recipe.config, "--seed", str(seed), "--name", run,
        "--resume", "auto", "--run-root", root, "--data-dir", place.data_dir,
        "--device", place.device, "--json", *(["--offline"] if place.offline else []), *sets,
    ]  # fmt: skip
    started, before = time.monotonic(), processor_seconds()
    with fitting([sys.executable, "-m", "cnn_train", *map(str, arguments)]) as process:
        try:
            stdout, stderr = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise NotDoneError("stopped, and saved") from None
    seconds = time.monotonic() - started
    if process.returncode == LOCKED:
        raise NotDoneError("another process is training it")
    if process.returncode:
        raise CnnTrainError(f"{name}, seed {seed}: {stderr.strip().rpartition(chr(10))[2]}")
    fitted = json.loads(stdout)
    cores = [
        (end - start) / seconds for start, end in zip(before, processor_seconds(), strict=True)
    ]
    facts = {"command_seconds": seconds, "own_cores": cores[0], "other_cores": cores[1]}
    return RunDirectory(Path(fitted["run_dir"])), facts if is_new else {}


def processor_seconds() -> tuple[float, float]:
    """Return how long processors have worked for our ended children, and for all others.

    The others' time is counted on Linux alone, and 0 elsewhere; time that a hypervisor gave to
    another machine is theirs too.
    """
    ours = sum(os.times()[2:4])
    try:
        line = Path("/proc/stat").read_text("ascii").partition("\n")[0]
    except OSError:
        return ours, 0.0
    user, nice, system, _idle, _waiting, irq, soft, stolen = map(int, line.split()[1:9])
    ticks = user + nice + system + irq + soft + stolen
    return ours, ticks / os.sysconf("SC_CLK_TCK") - ours


@contextmanager
def fitting(arguments: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """Start a process deaf to the terminal's Ctrl-C; however the block ends, it saves and stops."""
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, process_group=0,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def describe_run(run: RunDirectory, trained: TrainedModel) -> Facts:
    """Return what a finished run tells of itself; accuracies are those of its best epoch."""
    records = run.load_metrics()
    environment = json.loads(run.environment.read_text("utf-8"))
    layers = summarize(trained.model, trained.image_shape)
    return {
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "macs": sum(layer.macs for layer in layers),
        "epochs": len(records),
        "best_epoch": trained.epoch - 1,
        "val_accuracy": trained.val_accuracy,
        "last_val_accuracy": records[-1]["val_accuracy"],
        "seconds": sum(record["seconds"] for record in records),
        "images_per_second": harmonic_mean([one["images_per_second"] for one in records]),
        "num_train": len(trained.training_images),
        "fingerprints": trained.data_fingerprints,
        "weights_sha256": weights_digest(trained),
        **{key: environment[key] for key in ENVIRONMENT_KEPT if key in environment},
    }


def test_facts(trained: TrainedModel, images: ImageSet) -> Facts:
    """Read the test images, once each way: single view, views, changed by the slices."""
    single, views = (evaluate(trained, images, tta=tta) for tta in VIEWS)
    some = images.select(spread_evenly(len(images), SLICE_IMAGES))
    slices = evaluate_slices(trained, some, severities=SEVERITIES).slices
    facts: Facts = {
        "num_test": len(images),
        "test_fingerprint": images.fingerprint(),
        "test_accuracy": single.accuracy,
        "views_accuracy": views.accuracy,
        "slices": {one.name: fmean(one.accuracy) for one in slices},
    }
    if single.calibration is not None:
        nll = cross_entropy(single.scores_NK.double(), images.labels_N).item()
        facts |= {"nll": nll, "calibration_error": single.calibration.expected_error}
    return facts


def weights_digest(trained: TrainedModel) -> str:
    """Return the SHA-256 of the weights alone: equal for equal bits, whenever they were trained."""
    state = {name: value.cpu().contiguous() for name, value in trained.model.state_dict().items()}
    return hashlib.sha256(save(state)).hexdigest()


def commit() -> str:
    """Return the commit of this tree, with ``+`` where files of it were changed since."""

    def git(*words: str) -> str:
        ended = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True)
        return ended.stdout.strip()

    changed = git("status", "--porcelain", "--", "cnn_train", "configs", "scripts")
    return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
