"""What safety costs: milliseconds per save inside a real ``fit``, and its share of an epoch."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch

from cnn_train.config.loading import load_experiment
from cnn_train.data.dataset import DataAccess
from cnn_train.data.splits import load_training_splits
from cnn_train.errors import InterruptedRun
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import resolve_device
from cnn_train.metrics.tally import Tally
from cnn_train.runs.directory import RunDirectory
from cnn_train.training.building import build_session
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.run_files import RunFiles

from .campaign import Campaign
from .rows import Measure, Row

PART = "cost"
CONFIG = Path(__file__).parents[2] / "configs" / "resnet20.yaml"
DRAWN = {False: "{name: shapes}", True: "{name: shapes, num_train: 1000}"}
SAVE_EVERY = 2
WARM_UP_STEPS = 2


def cost_rows(campaign: Campaign) -> Iterator[Row]:
    """Measure saves of the default network, and ``torch.save`` in turns with them."""
    root = campaign.data_root
    data = f"{{name: folder, root: {root.resolve()}}}" if root else DRAWN[campaign.quick]
    costs = campaign.call(measure, config=str(CONFIG), data=data, num_steps=campaign.amount(40, 4))
    step_ms, steps = 1_000 * costs["step_seconds"], costs["steps_per_epoch"]
    epoch_seconds = costs["step_seconds"] * steps
    saves = 1 + int(epoch_seconds // costs["every_seconds"])
    yield Row(
        PART, "a save in fit", Measure(costs["save_ms"], "ms"), Measure(costs["plain_ms"], "ms"),
        f"{CONFIG.stem}, {'real' if root else 'drawn'} images, {costs['device']}, "
        f"{costs['threads']} threads, median of {costs['num_saves']}",
    )  # fmt: skip
    ours, plain = (saves * costs[name] / (10 * epoch_seconds) for name in ("save_ms", "plain_ms"))
    yield Row(
        PART, "its share of an epoch", Measure(ours, "%"), Measure(plain, "%"),
        f"{saves} by default in {steps} steps of {step_ms:.0f} ms",
    )  # fmt: skip


def measure(config: str, data: str, num_steps: int) -> dict[str, Any]:
    """Train with the config for some steps with many saves, on all cores; return what they took.

    save_ms, plain_ms: medians over ``num_saves``. step_seconds: the median of steps without a save.
    every_seconds: how often the config saves within an epoch, by default.
    """
    torch.set_num_threads(os.cpu_count() or 1)  # the other runs of the campaign have one
    overrides = [f"data={data}", f"checkpoint.every_steps={SAVE_EVERY}"]
    experiment = load_experiment(config, overrides, ExperimentConfig)
    ours: list[float] = []
    plain: list[float] = []
    steps: list[float] = []
    real_save = RunFiles.save_within_epoch
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        images = load_training_splits(experiment.data, DataAccess(place))
        session = build_session(experiment, *images, resolve_device("auto"))
        run = RunDirectory.create(place / "runs", "cost")

        def timed_save(files: RunFiles) -> None:
            ours.append(_milliseconds(lambda: real_save(files)))
            state = {"net": session.model.state_dict(), "acc": 0.5, "epoch": session.progress.epoch}
            plain.append(_milliseconds(lambda: torch.save(state, place / "ckpt.pth")))

        with patch.object(RunFiles, "save_within_epoch", timed_save), suppress(InterruptedRun):
            watched = Supervision(run, _step_watch(steps), lambda: len(steps) == num_steps)
            for _ in fit(session, watched):
                pass
    return {
        "save_ms": median(ours),
        "plain_ms": median(plain),
        "num_saves": len(ours),
        "step_seconds": median(steps[WARM_UP_STEPS::SAVE_EVERY]),
        "steps_per_epoch": len(session.batches.plan(0)),
        "every_seconds": experiment.checkpoint.every_seconds,
        "device": str(session.device.torch_device),
        "threads": torch.get_num_threads(),
    }


def _step_watch(seconds: list[float]) -> Callable[[Iterable[Tally]], Iterator[Tally]]:
    """Return what passes tallies on and notes how long each took to come; saves lie between them.

    A GPU is waited for by reading each tally.
    """

    def watch(tallies: Iterable[Tally]) -> Iterator[Tally]:
        started = time.perf_counter()
        for tally in tallies:
            tally.is_finite()
            seconds.append(time.perf_counter() - started)
            yield tally
            started = time.perf_counter()

    return watch


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1_000 * (time.perf_counter() - started)
