"""Training as ``fit`` does it, against a student's loop: images per second."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from statistics import median

from cnn_train.checks.profile import time_steps
from cnn_train.data.image_set import ImageSet
from cnn_train.models.flops import count_flops
from cnn_train.training.session import Session
from cnn_train.training.steps import endless_steps

from .bench import Bench
from .measuring import Spread, take_turns, times_to_fill
from .plain_loops import StudentLoop
from .rows import Row, Target, compare_speeds
from .sample_images import load_images
from .sessions import build_plain_model, start_session

PART = "train"
ARCHITECTURES = ("resnet18", "vgg16", "fastnet")
TARGETS = {"resnet18": 4.0, "vgg16": 3.0}
BATCH_SIZE = 128
NUM_IMAGES = 10_000

Speed = Callable[[int], float]
"""Images per second over a number of steps."""


def train_rows(bench: Bench) -> Iterator[Row]:
    """Compare the two loops on each architecture, with precision and layout chosen as by fit."""
    images = load_images(bench.data_root, NUM_IMAGES, num_val=100)
    for name in ARCHITECTURES:
        session = start_session(name, images, bench.device, BATCH_SIZE)
        yield compare_loops(bench, PART, session, images[0], least=TARGETS.get(name))


def compare_loops(
    bench: Bench, part: str, session: Session, images: ImageSet, *, least: float | None
) -> Row:
    """Train with the session and a student's loop in turns; ``least`` is the ratio to reach."""
    samples = _sample_speeds(bench, session, images)
    ratio = Spread.of_ratios(samples["ours"], samples["plain"]).median
    flops = count_flops(session.model, images.image_shape).training
    tflops = flops * median(samples["ours"]) / 1e12
    precision, batch_size = session.precision, session.config.batch_size
    return compare_speeds(
        part, session.config.model.name, "images/s", samples["ours"], samples["plain"],
        tflops=tflops,
        of_ceiling=bench.share_of_ceiling(tflops, precision),
        target=Target(f"≥ {least:g}", ratio >= least) if least else None,
        note=f"{precision.name} against float32, minibatches of {batch_size}",
    )  # fmt: skip


def _sample_speeds(bench: Bench, session: Session, images: ImageSet) -> dict[str, list[float]]:
    """Measure images per second of both loops, as often as there are repeats."""
    batch_size = session.config.batch_size
    model = build_plain_model(session.config, images)
    student = StudentLoop(model, images, batch_size, bench.device.torch_device)
    ours = speed_of(session)
    ours(2)
    speeds = {"ours": ours, "plain": student.images_per_second}
    return sample_speeds(speeds, batch_size, bench.seconds, bench.repeats, warm_up=not bench.quick)


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
