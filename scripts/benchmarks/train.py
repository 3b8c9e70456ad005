"""Training as ``fit`` does it, against a student's loop: images per second."""

from collections.abc import Iterator
from functools import partial
from statistics import median

from cnn_train.data.image_set import ImageSet
from cnn_train.models.flops import count_flops
from cnn_train.profile_step import endless_steps, time_steps

from .bench import Bench
from .measuring import Spread, take_turns, times_to_fill
from .plain_loops import StudentLoop
from .rows import Row, Target, compare_speeds
from .sample_images import load_images
from .sessions import build_plain_model, start_session

PART = "train"
ARCHITECTURES = ("resnet18", "vgg16", "fastnet")
TARGETS = {"resnet18": 4.0, "vgg16": 3.0}
BATCH_SIZE, QUICK_BATCH_SIZE = 128, 16
NUM_IMAGES, QUICK_NUM_IMAGES = 10_000, 500


def train_rows(bench: Bench) -> Iterator[Row]:
    """Compare the two loops on each architecture, with precision and layout chosen as by fit."""
    num_train = QUICK_NUM_IMAGES if bench.quick else NUM_IMAGES
    images = load_images(bench.data_root, num_train, num_val=100)
    for name in ARCHITECTURES:
        yield _compare(bench, name, images)


def _compare(bench: Bench, name: str, images: tuple[ImageSet, ImageSet]) -> Row:
    device = bench.device.torch_device
    batch_size = QUICK_BATCH_SIZE if bench.quick else BATCH_SIZE
    session = start_session(name, images, bench.device, batch_size)
    steps = endless_steps(session)
    model = build_plain_model(session.config, images[0])
    student = StudentLoop(model, images[0], batch_size, device)

    def measure_ours(num_steps: int) -> float:
        seconds, num_images = time_steps(steps, num_steps, device)
        return num_images / seconds

    measure_ours(2)
    candidates = {}
    for who, measure in (("ours", measure_ours), ("plain", student.images_per_second)):
        num_steps = times_to_fill(bench.seconds, batch_size / measure(1))
        candidates[who] = partial(measure, num_steps)
    samples = take_turns(candidates, bench.repeats, warm_up=not bench.quick)
    flops = count_flops(session.model, images[0].image_shape).training
    tflops = flops * median(samples["ours"]) / 1e12
    ratio = Spread.of_ratios(samples["ours"], samples["plain"]).median
    least = TARGETS.get(name)
    return compare_speeds(
        PART, name, "images/s", samples["ours"], samples["plain"],
        tflops=tflops,
        of_ceiling=bench.share_of_ceiling(tflops, session.precision),
        target=Target(f"≥ {least:g}", ratio >= least) if least else None,
        note=f"{session.precision.name} against float32, minibatches of {batch_size}",
    )  # fmt: skip
