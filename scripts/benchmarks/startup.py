"""How long a user waits for a command, and how much of a batch prediction is the network's."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch

from cnn_train.checkpoints.checkpoint import save_checkpoint
from cnn_train.inference.predict import predict_files
from cnn_train.inference.trained_model import TrainedModel, load_trained_model
from cnn_train.machine.device import with_autocast
from cnn_train.machine.stopwatch import now

from .bench import Bench
from .decode import decode_plainly
from .measuring import Spread, take_turns
from .rows import Row, Target, compare_seconds, compare_speeds
from .sample_images import make_noise, write_jpegs
from .sessions import start_session

PART = "startup"
CONFIG = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
NUM_FILES, QUICK_NUM_FILES = 2_000, 300
BATCH_SIZE = 512  # the default of predict_files
LEAST_SHARE = 0.8


def startup_rows(bench: Bench) -> Iterator[Row]:
    """Time commands in fresh processes beside their heaviest import, then batch prediction."""
    files = write_jpegs(bench.scratch / "pictures", QUICK_NUM_FILES if bench.quick else NUM_FILES)
    checkpoint = _save_untrained(bench, "resnet20")
    for shown, arguments, imports, limit in (
        ("--help", ["--help"], "import typer", 0.4),
        ("config check", ["config", "check", CONFIG], "import torch", 2.5),
        ("predict IMAGE", ["predict", files[0], "--checkpoint", checkpoint], "import torch", 4.0),
    ):
        yield _compare_with_import(bench, f"cnn-train {shown}", arguments, imports, limit)
    for name in ("resnet20",) if bench.quick else ("resnet20", "resnet18"):
        trained = load_trained_model(_save_untrained(bench, name), str(bench.device.torch_device))
        yield from _batch_prediction(bench, name, trained, files)


def _compare_with_import(
    bench: Bench, name: str, arguments: Sequence[object], imports: str, limit_seconds: float
) -> Row:
    command = [sys.executable, "-m", "cnn_train", *map(str, arguments)]
    plain = [sys.executable, "-c", imports]
    candidates = {"ours": partial(time_command, command), "plain": partial(time_command, plain)}
    samples = take_turns(candidates, bench.repeats, warm_up=not bench.quick)
    is_kept = Spread.of(samples["ours"]).median < limit_seconds
    return compare_seconds(
        PART, name, samples["ours"], samples["plain"],
        target=Target(f"< {limit_seconds:g} s", is_kept), note=f"plain: {imports}",
    )  # fmt: skip


def time_command(command: Sequence[str]) -> float:
    """Return the seconds that a command takes; raises CalledProcessError where it fails."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _save_untrained(bench: Bench, architecture: str) -> Path:
    """Save a checkpoint of random weights: they predict nothing, as fast as any others."""
    path = bench.scratch / f"{architecture}.ckpt"
    images = make_noise(20), make_noise(20, seed=1)
    save_checkpoint(start_session(architecture, images, bench.device, 10).checkpoint(), path)
    return path


def _batch_prediction(
    bench: Bench, name: str, trained: TrainedModel, files: Sequence[Path]
) -> Iterator[Row]:
    """Compare files in, classes out with forward passes over inputs that lie ready.

    Reading costs time that those do not have: a second row says what the cores have time for.
    """
    device = trained.device.torch_device
    forward = with_autocast(trained.model, trained.device, trained.precision)
    pixels_NCHW = make_noise(len(files)).images_NCHW.to(device)
    inputs = [trained.normalization(piece) for piece in torch.split(pixels_NCHW, BATCH_SIZE)]

    def from_files() -> float:
        started = now(device)
        predict_files(trained, files)
        return len(files) / (now(device) - started)

    @torch.no_grad()
    def forward_only() -> float:
        started = now(device)
        for images_BCHW in inputs:
            forward(images_BCHW)
        return len(files) / (now(device) - started)

    samples = take_turns(
        {
            "ours": from_files,
            "plain": forward_only,
            "reading": lambda: len(files) / decode_plainly(files),
        },
        bench.repeats,
    )
    share = Spread.of_ratios(samples["ours"], samples["plain"]).median
    yield compare_speeds(
        PART, f"predict {len(files):,} files, {name}", "images/s",
        samples["ours"], samples["plain"],
        target=Target(f"≥ {LEAST_SHARE:.0%} of plain", share >= LEAST_SHARE),
        note=f"plain: forward passes alone, {trained.precision.name}",
    )  # fmt: skip
    cores = os.cpu_count() or 1
    bounds = [
        attainable_speed(forward_speed, reading, cores, on_cpu=device.type == "cpu")
        for forward_speed, reading in zip(samples["plain"], samples["reading"], strict=True)
    ]
    yield compare_speeds(
        PART, f"predict {len(files):,} files, {name}, at best", "images/s",
        samples["ours"], bounds,
        note=f"plain: forward passes, and Pillow's reading spread over {cores} cores",
    )  # fmt: skip


def attainable_speed(forward: float, reading: float, cores: int, *, on_cpu: bool) -> float:
    """Return the images/s that the hardware allows, from all cores' forward, one core's reading.

    On the CPU the two share the cores and their times add up; beside a GPU the slower one decides.
    """
    if on_cpu:
        return 1 / (1 / forward + 1 / (reading * cores))
    return min(forward, reading * cores)
