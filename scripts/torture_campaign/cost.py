"""What safety costs: milliseconds per save inside a real ``fit``, and its share of an epoch.

Run as a program (``python -m torture_campaign.cost``) it measures in a process of its own, with as
many threads as PyTorch takes by itself: the other runs of the campaign have one.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from .campaign import Campaign
from .children import campaign_environment
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
    found = _measure_in_own_process(campaign, data, campaign.amount(40, 4))
    step_ms, steps = 1_000 * found["step_seconds"], found["steps_per_epoch"]
    epoch_seconds = found["step_seconds"] * steps
    images = "real images" if root else "drawn images"
    saves = 1 + int(epoch_seconds // found["every_seconds"])
    yield Row(
        PART, "a save in fit", Measure(found["save_ms"], "ms"), Measure(found["plain_ms"], "ms"),
        f"{CONFIG.stem}, {images}, {found['device']}, {found['threads']} threads, "
        f"median of {found['num_saves']}",
    )  # fmt: skip
    shares = [saves * found[name] / (1_000 * epoch_seconds) for name in ("save_ms", "plain_ms")]
    yield Row(
        PART, "its share of an epoch", Measure(100 * shares[0], "%"), Measure(100 * shares[1], "%"),
        f"{saves} by default in {steps} steps of {step_ms:.0f} ms",
    )  # fmt: skip


def _measure_in_own_process(campaign: Campaign, data: str, num_steps: int) -> dict[str, Any]:
    environment = campaign_environment()
    del environment["OMP_NUM_THREADS"]
    directory = campaign.directory("cost")
    ended = subprocess.run(
        [sys.executable, "-m", __name__, str(directory), str(CONFIG), data, str(num_steps)],
        env=environment,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise RuntimeError(f"measuring the cost of saves failed: {ended.stderr[-2000:]}")
    found: dict[str, Any] = json.loads((directory / "found.json").read_text("utf-8"))
    return found


def measure(directory: Path, config: Path, data: str, num_steps: int) -> dict[str, Any]:
    """Train with the config for some steps with many saves; return what they took.

    save_ms, plain_ms: medians over ``num_saves``. step_seconds: the median of steps without a save.
    every_seconds: how often the config saves within an epoch, by default.
    """
    import torch

    from cnn_train.errors import InterruptedRun
    from cnn_train.runs.directory import RunDirectory
    from cnn_train.training.fit import Supervision, fit
    from cnn_train.training.run_files import RunFiles

    session, every_seconds = _start(config, data, directory)
    run = RunDirectory.create(directory / "runs", "cost")
    ours: list[float] = []
    plain: list[float] = []
    real_save = RunFiles.save_within_epoch

    def timed_save(files: RunFiles) -> None:
        ours.append(_milliseconds(lambda: real_save(files)))
        state = {"net": session.model.state_dict(), "acc": 0.5, "epoch": session.progress.epoch}
        plain.append(_milliseconds(lambda: torch.save(state, directory / "ckpt.pth")))

    steps = StepTimes()
    with patch.object(RunFiles, "save_within_epoch", timed_save):
        try:
            watched = Supervision(run, steps.watch, should_stop=lambda: steps.num == num_steps)
            for _ in fit(session, watched):
                pass
        except InterruptedRun:
            pass
    return {
        "save_ms": median(ours),
        "plain_ms": median(plain),
        "num_saves": len(ours),
        "step_seconds": median(steps.seconds[WARM_UP_STEPS::SAVE_EVERY]),
        "steps_per_epoch": len(session.batches.plan),
        "every_seconds": every_seconds,
        "device": str(session.device.torch_device),
        "threads": torch.get_num_threads(),
    }


class StepTimes:
    """How long each minibatch takes, from its request to its arrival: saves lie between them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    @property
    def num(self) -> int:
        """Minibatches so far."""
        return len(self.seconds)

    def watch(self, tallies: Iterable[Any]) -> Iterator[Any]:
        """Pass the tallies on; a GPU is waited for by reading each."""
        iterator = iter(tallies)
        while True:
            started = time.perf_counter()
            tally = next(iterator, None)
            if tally is None:
                return
            tally.is_finite()
            self.seconds.append(time.perf_counter() - started)
            yield tally


def _start(config: Path, data: str, directory: Path) -> tuple[Any, float]:
    """Build the config's session, saving often; and its usual time between saves."""
    from cnn_train.config.loading import load_experiment
    from cnn_train.data.dataset import DataAccess
    from cnn_train.data.splits import load_training_splits
    from cnn_train.experiment import ExperimentConfig
    from cnn_train.machine.device import resolve_device
    from cnn_train.training.building import build_session

    overrides = [f"data={data}", f"checkpoint.every_steps={SAVE_EVERY}"]
    experiment = load_experiment(config, overrides, ExperimentConfig)
    access = DataAccess(directory)
    train, val = load_training_splits(experiment.data, access)
    session = build_session(experiment, train, val, resolve_device("auto"))
    return session, experiment.checkpoint.every_seconds


def _milliseconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return 1_000 * (time.perf_counter() - started)


if __name__ == "__main__":
    scratch = Path(sys.argv[1])
    document = measure(scratch, Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    (scratch / "found.json").write_text(json.dumps(document), "utf-8")
