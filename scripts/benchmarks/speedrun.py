"""From images in memory to a trained network, against the clock.

The clock starts after decoding and stops with the last minibatch: building the network and setting
up its first layer count, the validation after every epoch but the last counts, the final evaluation
does not.
"""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from cnn_train.config.loading import load_experiment
from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder.dataset import FolderConfig
from cnn_train.data.image_set import ImageSet
from cnn_train.data.location import resolve_data_dir
from cnn_train.data.shapes.dataset import ShapesConfig
from cnn_train.data.splits import load_training_splits
from cnn_train.errors import UsageError
from cnn_train.evaluation.evaluate import evaluate
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import restore_trained_model
from cnn_train.inference.views import ViewsName
from cnn_train.machine.stopwatch import now
from cnn_train.metrics.tally import Tally
from cnn_train.models.flops import count_flops
from cnn_train.training.building import build_session
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.session import Session

from .bench import Bench
from .measuring import Spread, take_turns
from .rows import Row

PART = "speedrun"
DEFAULT_CONFIG = Path(__file__).parents[2] / "configs" / "speedrun_cpu.yaml"
VIEWS: tuple[ViewsName, ...] = ("none", "flip_translate")
QUICK_NUM_IMAGES = 400
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def speedrun_rows(bench: Bench) -> Iterator[Row]:
    """Run the config, with the other command in turns, as often as there are repeats."""
    path = bench.config or DEFAULT_CONFIG
    config = _load_config(bench, path)
    access = DataAccess(resolve_data_dir(None), offline=True)
    ours = Speedrun(bench, config, load_training_splits(config.data.located(), access))
    candidates = {"ours": ours.seconds}
    other = OtherCommand(bench.beside) if bench.beside else None
    if other:
        candidates["plain"] = other.seconds
    samples = take_turns(candidates, bench.repeats, warm_up=False)
    yield _time_row(bench, ours, path.stem, samples)
    for views in VIEWS:
        accuracy = Spread.of([100 * value for value in ours.accuracies[views]])
        note = f"tta {views}; {len(ours.images[1]):,} images"
        yield Row(PART, "validation accuracy", "%", accuracy, note=note)
    if other and other.numbers:
        note = "the last number of its last line"
        yield Row(PART, "the other command says", "", Spread.of(other.numbers), note=note)


def _time_row(bench: Bench, ours: "Speedrun", name: str, samples: dict[str, list[float]]) -> Row:
    """Compare the seconds with the other command's, if there is one."""
    seconds, plain = samples["ours"], samples.get("plain")
    tflops = ours.flops / median(seconds) / 1e12
    return Row(
        PART, name, "s", Spread.of(seconds), Spread.of(plain) if plain else None,
        Spread.of_ratios(plain, seconds) if plain else None,
        tflops=tflops,
        of_ceiling=tflops / bench.ceiling.best(ours.precision),
        note=f"{ours.config.epochs} epochs of {len(ours.images[0]):,} images, {ours.precision}",
    )  # fmt: skip


def _load_config(bench: Bench, path: Path) -> ExperimentConfig:
    """Load the config with the caller's images, or with drawn ones where nothing may be needed."""
    config = load_experiment(path, (), ExperimentConfig)
    changes: dict[str, Any] = {"epochs": 1} if bench.quick else {}
    if bench.data_root:
        val_fraction = config.data.val_fraction
        changes["data"] = FolderConfig(root=bench.data_root, val_fraction=val_fraction)
    elif bench.quick:
        changes["data"] = ShapesConfig(num_train=QUICK_NUM_IMAGES)
    return config.model_copy(update=changes)


@dataclass
class Speedrun:
    """Trains one config again and again; keeps what each run reached."""

    bench: Bench
    config: ExperimentConfig
    images: tuple[ImageSet, ImageSet]
    accuracies: dict[ViewsName, list[float]] = field(default_factory=dict)
    flops: float = 0.0
    precision: str = ""

    def seconds(self) -> float:
        """Train once, by the clock that the module describes, then evaluate with every view."""
        device, ended = self.bench.device.torch_device, 0.0

        def watch(tallies: Iterable[Tally]) -> Iterator[Tally]:
            nonlocal ended
            yield from tallies
            ended = now(device)

        started = now(device)
        seed = self.config.seed + len(self.accuracies.get("none", ()))
        config = self.config.model_copy(update={"seed": seed})
        session = build_session(config, *self.images, self.bench.device)
        for _ in fit(session, Supervision(watch=watch)):
            pass
        self._note(session)
        return ended - started

    def _note(self, session: Session) -> None:
        """Evaluate the weights and count the arithmetic, off the clock."""
        self.precision = session.precision.name
        batches = session.batches
        num_images: Counter[tuple[int, int, int]] = Counter()
        for epoch in range(session.config.epochs):
            for position, piece in enumerate(batches.plan(epoch)):
                num_images[batches.image_shape(epoch, position)] += piece.stop - piece.start
        self.flops = sum(
            number * count_flops(session.model, image_shape).training
            for image_shape, number in num_images.items()
        )
        trained = restore_trained_model(session.checkpoint(), session.device, PART)
        for views in VIEWS:
            accuracy = evaluate(trained, self.images[1], split="val", tta=views).accuracy
            self.accuracies.setdefault(views, []).append(accuracy)


@dataclass
class OtherCommand:
    """Any shell command, timed from its start to its end; a number that it prints last is kept."""

    command: str
    numbers: list[float] = field(default_factory=list)

    def seconds(self) -> float:
        """Run it once. Raises UsageError where it fails."""
        started = time.perf_counter()
        done = subprocess.run(self.command, shell=True, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            raise UsageError(f"--beside: exit code {done.returncode}: {last}")
        lines = done.stdout.strip().splitlines()
        if lines and (found := NUMBER.findall(lines[-1])):
            self.numbers.append(float(found[-1]))
        return seconds
