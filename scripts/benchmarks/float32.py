"""In float32 our loop must not be slower than the barest one, for any architecture of the zoo.

Both train on the same minibatches, which lie ready: ours in its own memory layout, the bare loop in
plain NCHW. Ours computes λR(W), the learning rate and the tallies on top.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from statistics import median

import torch

from cnn_train.data.batches import Batch
from cnn_train.data.image_set import ImageSet
from cnn_train.device import Device
from cnn_train.engine import train_epoch
from cnn_train.models import ARCHITECTURES
from cnn_train.models.flops import StepFlops, count_flops
from cnn_train.session import Session
from cnn_train.stopwatch import now

from .bench import Bench
from .measuring import Spread, take_turns, times_to_fill
from .plain_loops import BareLoop
from .rows import Row, Target, compare_speeds
from .sample_images import make_noise
from .sessions import build_plain_model, make_config, start_session

PART = "float32"
NUM_BATCHES = 2
BATCH_SIZE, BATCH_SIZE_OF_LARGE, QUICK_BATCH_SIZE = 128, 16, 8
LARGE_FLOPS = 1.5e9  # of one image's forward pass: DenseNet-121, ResNet-34 and above
QUICK_MOST_FLOPS = 0.3e9


def float32_rows(bench: Bench) -> Iterator[Row]:
    """Compare the two loops on every architecture with its default settings."""
    images = make_noise(NUM_BATCHES * BATCH_SIZE), make_noise(20, seed=1)
    skipped = []
    for name in ARCHITECTURES:
        flops = _count(name, images[0])
        if bench.quick and flops.forward > QUICK_MOST_FLOPS:
            skipped.append(name)
            continue
        size = BATCH_SIZE_OF_LARGE if flops.forward > LARGE_FLOPS else BATCH_SIZE
        size = QUICK_BATCH_SIZE if bench.quick else size
        session = start_session(name, images, bench.device, size, precision="float32")
        yield _compare(bench, session, flops)
    if skipped:
        bench.remarks.append(f"float32: left out under --quick: {', '.join(skipped)}")


def _count(name: str, images: ImageSet) -> StepFlops:
    """Count the work of an architecture without drawing its weights."""
    with torch.device("meta"):
        model = make_config(name, BATCH_SIZE).model.build(
            len(images.class_names), images.image_shape
        )
    return count_flops(model, images.image_shape)


def _compare(bench: Bench, session: Session, flops: StepFlops) -> Row:
    device = bench.device
    model = build_plain_model(session.config, session.batches.images).to(device.torch_device)
    bare = BareLoop(model, model)
    batches = list(islice(session.batches.epoch(0), NUM_BATCHES))
    plain = [replace(one, images_BCHW=one.images_BCHW.contiguous()) for one in batches]
    first = min(_seconds(session, batches, device, 1) for _ in range(2))
    times = times_to_fill(bench.seconds / 2, first)
    num_images = times * sum(len(one.labels_B) for one in batches)
    samples = take_turns(
        {
            "ours": lambda: num_images / _seconds(session, batches, device, times),
            "plain": lambda: num_images / _seconds(bare, plain, device, times),
        },
        bench.repeats,
    )
    tflops = flops.training * median(samples["ours"]) / 1e12
    ratio = Spread.of_ratios(samples["ours"], samples["plain"]).median
    return compare_speeds(
        PART, session.config.model.name, "images/s", samples["ours"], samples["plain"],
        tflops=tflops,
        of_ceiling=bench.share_of_ceiling(tflops, session.precision),
        target=Target("≥ 1", ratio >= 1),
    )  # fmt: skip


def _seconds(loop: Session | BareLoop, batches: list[Batch], device: Device, times: int) -> float:
    """Time as many passes over the minibatches."""
    train = loop.train if isinstance(loop, BareLoop) else partial(_train_session, loop)
    started = now(device.torch_device)
    for _ in range(times):
        train(batches)
    return now(device.torch_device) - started


def _train_session(session: Session, batches: list[Batch]) -> None:
    """Run the session's own loop over minibatches that lie ready."""
    session.model.train()
    for _ in train_epoch(
        session.forward,
        session.loss_fn,
        session.penalty,
        session.optimizer,
        session.schedule,
        batches,
        step=0,
    ):
        pass
