"""How the time of a run grows with its images, its epochs and its pixels."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from cnn_train.figures.saving import save_figure
from cnn_train.machine.stopwatch import now
from cnn_train.training.fit import fit

from .bench import Bench
from .measuring import Spread, take_turns
from .rows import Row
from .sample_images import make_noise
from .scaling_figure import draw_scaling
from .sessions import start_session

PART = "scale"
ARCHITECTURE = "resnet20"
BATCH_SIZE = 64
NUM_DOUBLINGS = 3
IMAGES, QUICK_IMAGES = 1_024, 128
SIDES_PX = ((16, 16), (16, 32), (32, 32), (32, 64))


@dataclass(frozen=True)
class Growth:
    """Seconds for each amount of one thing; exponent: seconds grow as amount to this power."""

    what: str
    amounts: tuple[int, ...]
    seconds: tuple[Spread, ...]
    exponent: Spread


def scale_rows(bench: Bench) -> Iterator[Row]:
    """Double the images, the epochs and the pixels of a small network's run, three times each."""
    num = QUICK_IMAGES if bench.quick else IMAGES
    doubled = tuple(2**i for i in range(NUM_DOUBLINGS + 1))
    runs: dict[str, dict[int, Callable[[], float]]] = {
        "images": {num * i: partial(_seconds, bench, num * i, 1, (32, 32)) for i in doubled},
        "epochs": {i: partial(_seconds, bench, num, i, (32, 32)) for i in doubled},
        "pixels": {h * w: partial(_seconds, bench, num, 1, (h, w)) for h, w in SIDES_PX},
    }
    growths = [_measure(what, by_amount, bench.repeats) for what, by_amount in runs.items()]
    for growth in growths:
        yield from _rows(growth)
    if bench.plot:
        save_figure(draw_scaling(growths, f"A run of {ARCHITECTURE}"), bench.plot)


def _seconds(bench: Bench, num_images: int, epochs: int, sides_px: tuple[int, int]) -> float:
    """Time a run from its images to its last validation; nothing is written."""
    images = make_noise(num_images, (3, *sides_px)), make_noise(20, (3, *sides_px), seed=1)
    device = bench.device.torch_device
    started = now(device)
    session = start_session(ARCHITECTURE, images, bench.device, BATCH_SIZE, epochs=epochs)
    for _ in fit(session):
        pass
    return now(device) - started


def _measure(what: str, runs: dict[int, Callable[[], float]], repeats: int) -> Growth:
    next(iter(runs.values()))()  # the first run of a process also pays for its memory
    samples = take_turns({str(amount): run for amount, run in runs.items()}, repeats, warm_up=False)
    amounts = tuple(runs)
    by_turn = zip(*samples.values(), strict=True)
    return Growth(
        what,
        amounts,
        tuple(Spread.of(samples[str(amount)]) for amount in amounts),
        Spread.of([fit_exponent(amounts, seconds) for seconds in by_turn]),
    )


def fit_exponent(amounts: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the slope of the least-squares line through the logarithms."""
    x = [math.log(amount) for amount in amounts]
    y = [math.log(one) for one in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def _rows(growth: Growth) -> Iterator[Row]:
    first = growth.seconds[0].median
    for amount, spread in zip(growth.amounts, growth.seconds, strict=True):
        times = amount // growth.amounts[0]
        note = f"{spread.median / first:.2f} × the time for {times} × the {growth.what}"
        yield Row(PART, f"{growth.what}: {amount:,}", "s", spread, note=note)
    note = "1: in proportion; below 1: fixed costs weigh less"
    yield Row(PART, f"exponent of {growth.what}", "", growth.exponent, note=note)
