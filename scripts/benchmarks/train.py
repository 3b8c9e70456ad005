"""Training as ``fit`` does it, against a student's loop: images per second."""

from collections.abc import Iterator
from functools import partial
from statistics import median

from cnn_train.data.image_set import ImageSet
from cnn_train.models.flops import count_flops
from cnn_train.profile_step import endless_steps, time_steps
from cnn_train.session import Session

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
    device, batch_size = bench.device.torch_device, session.config.batch_size
    steps = endless_steps(session)
    model = build_plain_model(session.config, images)
    student = StudentLoop(model, images, batch_size, device)

    def measure_ours(num_steps: int) -> float:
        seconds, num_images = time_steps(steps, num_steps, device)
        return num_images / seconds

    measure_ours(2)
    candidates = {}
    for who, measure in (("ours", measure_ours), ("plain", student.images_per_second)):
        num_steps = times_to_fill(bench.seconds, batch_size / measure(1))
        candidates[who] = partial(measure, num_steps)
    return take_turns(candidates, bench.repeats, warm_up=not bench.quick)
