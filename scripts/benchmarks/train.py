"""Training as ``fit`` does it, against a student's loop: images per second.

In float32, too, no architecture of the zoo may be slower than in the student's loop.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from statistics import median

import torch

from cnn_train.checks.profile import time_steps
from cnn_train.data.image_set import ImageSet
from cnn_train.models import ARCHITECTURES
from cnn_train.models.flops import count_flops
from cnn_train.training.session import Session
from cnn_train.training.steps import endless_steps

from .bench import Bench
from .measuring import Spread, take_turns, times_to_fill
from .plain_loops import StudentLoop
from .rows import Row, Target, compare_speeds
from .sample_images import load_images, make_noise
from .sessions import build_plain_model, make_config, start_session

COMPARED = ("resnet18", "vgg16", "fastnet")
TARGETS = {"resnet18": 4.0, "vgg16": 3.0}
NUM_IMAGES, NUM_FLOAT32_IMAGES = 10_000, 2_000
BATCH_SIZE, BATCH_SIZE_OF_LARGE = 128, 16
LARGE_FLOPS = 1.5e9  # of one image's forward pass: DenseNet-121, ResNet-34 and above
QUICK_MOST_FLOPS = 0.1e9

Speed = Callable[[int], float]
"""Images per second over a number of steps."""


def train_rows(bench: Bench) -> Iterator[Row]:
    """Compare the two loops on each architecture, with precision and layout chosen as by fit."""
    images = load_images(bench.data_root, NUM_IMAGES, num_val=100)
    for name in COMPARED:
        session = start_session(name, images, bench.device, BATCH_SIZE)
        yield compare_loops(bench, "train", session, images[0], least=TARGETS.get(name))


def float32_rows(bench: Bench) -> Iterator[Row]:
    """Compare the two loops in float32 on every architecture with its default settings."""
    images = make_noise(NUM_FLOAT32_IMAGES), make_noise(20, seed=1)
    skipped = []
    for name in ARCHITECTURES:
        flops = _count_forward(name, images[0])
        if bench.quick and flops > QUICK_MOST_FLOPS:
            skipped.append(name)
            continue
        size = BATCH_SIZE_OF_LARGE if flops > LARGE_FLOPS else BATCH_SIZE
        session = start_session(name, images, bench.device, size, precision="float32")
        yield compare_loops(bench, "float32", session, images[0], least=1.0)
    if skipped:
        bench.remarks.append(f"float32: left out under --quick: {', '.join(skipped)}")


def _count_forward(name: str, images: ImageSet) -> float:
    """Count one image's forward pass without drawing weights."""
    with torch.device("meta"):
        model = build_plain_model(make_config(name, BATCH_SIZE), images)
    return count_flops(model, images.image_shape).forward


def compare_loops(
    bench: Bench, part: str, session: Session, images: ImageSet, *, least: float | None
) -> Row:
    """Train with the session and a student's loop in turns; ``least`` is the ratio to reach."""
    batch_size, precision = session.config.batch_size, session.precision
    model = build_plain_model(session.config, images)
    student = StudentLoop(model, images, batch_size, bench.device.torch_device)
    speeds = {"ours": speed_of(session), "plain": student.images_per_second}
    speeds["ours"](2)
    samples = sample_speeds(
        speeds, batch_size, bench.seconds, bench.repeats, warm_up=not bench.quick
    )
    ratio = Spread.of_ratios(samples["ours"], samples["plain"]).median
    flops = count_flops(session.model, images.image_shape).training
    tflops = flops * median(samples["ours"]) / 1e12
    return compare_speeds(
        part, session.config.model.name, "images/s", samples["ours"], samples["plain"],
        tflops=tflops,
        of_ceiling=tflops / bench.ceiling.best(precision.name),
        target=Target(f"≥ {least:g}", ratio >= least) if least else None,
        note=f"{precision.name} against float32, minibatches of {batch_size}",
    )  # fmt: skip


def speed_of(session: Session) -> Speed:
    """Return a function that trains on for some steps and returns the images per second."""
    steps, device = endless_steps(session), session.device.torch_device

    def images_per_second(num_steps: int) -> float:
        seconds, num_images = time_steps(steps, num_steps, device)
        return num_images / seconds

    return images_per_second


def sample_speeds(
    speeds: Mapping[str, Speed], batch_size: int, seconds: float, repeats: int, *, warm_up: bool
) -> dict[str, list[float]]:
    """Measure images per second in turns, each over as many steps as fill the seconds."""
    candidates = {
        who: partial(speed, times_to_fill(seconds, batch_size / speed(1)))
        for who, speed in speeds.items()
    }
    return take_turns(candidates, repeats, warm_up=warm_up)
