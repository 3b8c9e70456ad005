"""What ``fit`` costs as a user runs it, beyond making minibatches and learning from them.

Ours: everything between the plan and the result of ``cnn-train fit``: the first loss, λR(W),
tallies, schedule, the guard against divergence, the live display (drawn into nothing), validation,
checkpoints, metrics, learning curves. Plain: forward passes in the same precision and layout,
cross-entropy, backward passes and SGD updates over the same minibatches, made the same way, and
the forward passes and the loss of the validation images after each epoch.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from rich.console import Console

from cnn_train.acceleration.allocator import kept_memory
from cnn_train.cli.fit import training_display
from cnn_train.data.batches import evaluation_batch_size, evaluation_batches
from cnn_train.data.image_set import ImageSet
from cnn_train.machine.stopwatch import now
from cnn_train.runs.directory import RunDirectory
from cnn_train.training.fit import fit
from cnn_train.training.session import Session

from .bench import Bench
from .measuring import Spread, take_turns
from .plain_loops import BareLoop
from .rows import Row, Target, compare_seconds
from .sample_images import load_images
from .sessions import build_bare_network, start_session

PART = "overhead"
RUNS = {"fastnet": (6, 45_000), "resnet18": (2, 10_000)}
"""Epochs, and the images of each: a minute or two in all, of which the fixed costs take seconds."""
QUICK_RUNS = {"fastnet": (2, 500)}
BATCH_SIZE = 128
LARGEST_OVERHEAD = 0.03


def overhead_rows(bench: Bench) -> Iterator[Row]:
    """Compare whole runs; they are shorter than usual, so the fixed costs weigh more."""
    for name, (epochs, num_images) in (QUICK_RUNS if bench.quick else RUNS).items():
        images = load_images(bench.data_root, num_images, num_images // 10)
        yield _compare(bench, name, epochs, images)


def _compare(bench: Bench, name: str, epochs: int, images: tuple[ImageSet, ImageSet]) -> Row:
    def start() -> Session:
        return start_session(name, images, bench.device, BATCH_SIZE, epochs=epochs)

    plain = start()
    loop = BareLoop(*build_bare_network(plain))
    samples = take_turns(
        {"ours": lambda: _fit(start(), bench.scratch), "plain": lambda: _train_barely(plain, loop)},
        bench.repeats,
    )
    slower = Spread.of_ratios(samples["ours"], samples["plain"])
    low, middle, high = (100 * (value - 1) for value in (slower.low, slower.median, slower.high))
    kept = slower.median <= 1 + LARGEST_OVERHEAD
    return compare_seconds(
        PART, f"{name}, {epochs} epochs of {len(images[0]):,} images",
        samples["ours"], samples["plain"],
        target=Target(f"≤ {LARGEST_OVERHEAD:.0%} slower", kept),
        note=f"overhead {middle:.1f} % [{low:.1f}–{high:.1f}], files and all",
    )  # fmt: skip


def _fit(session: Session, run_root: Path) -> float:
    """Train as the command does, in a run directory of its own; return the seconds it took."""
    run = RunDirectory.create(run_root, "overhead")
    with (
        _screen_into_nothing(),
        training_display.supervised(session, run, as_json=False) as supervision,
    ):
        started = now(session.device.torch_device)
        for record in fit(session, supervision):
            training_display.show_epoch(session, record)
        return now(session.device.torch_device) - started


@contextmanager
def _screen_into_nothing() -> Iterator[None]:
    """Draw the display as on a terminal, where nobody sees it."""
    with Path(os.devnull).open("w", encoding="utf-8") as nothing:
        screen = Console(file=nothing, force_terminal=True, width=120)
        with patch.object(training_display, "stderr", screen):
            yield


def _train_barely(session: Session, loop: BareLoop) -> float:
    """Do the bare arithmetic of the session's whole run; return the seconds it took."""
    device, images = session.device.torch_device, session.val_images
    size = evaluation_batch_size(images.image_shape)
    with kept_memory():
        started = now(device)
        for epoch in range(session.config.epochs):
            loop.train(session.batches.epoch(epoch))
            loop.validate(evaluation_batches(images, session.batches.normalization, size))
        return now(device) - started
