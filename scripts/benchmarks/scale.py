"""How the time of a run grows with its images, its epochs and its pixels; and a figure of it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import linear_regression

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from cnn_train.figures.saving import save_figure
from cnn_train.figures.style import BLUE, GREY, make_figure, style_axes
from cnn_train.machine.stopwatch import now
from cnn_train.training.fit import fit

from .bench import Bench
from .measuring import Spread, take_turns
from .rows import Row
from .sample_images import make_noise
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
    x, y = ([math.log(value) for value in values] for values in (amounts, seconds))
    return linear_regression(x, y).slope


def _rows(growth: Growth) -> Iterator[Row]:
    for amount, spread in zip(growth.amounts, growth.seconds, strict=True):
        times, slower = amount // growth.amounts[0], spread.median / growth.seconds[0].median
        note = f"{slower:.2f} × the time for {times} × the {growth.what}"
        yield Row(PART, f"{growth.what}: {amount:,}", "s", spread, note=note)
    note = "1: in proportion; below 1: fixed costs weigh less"
    yield Row(PART, f"exponent of {growth.what}", "", growth.exponent, note=note)


def draw_scaling(growths: Sequence[Growth], title: str) -> Figure:
    """Draw one panel per growing thing: the measured medians, their spread, and proportion."""
    figure = make_figure(3.6 * len(growths), 3.4, title)
    panels = figure.subplots(1, len(growths), squeeze=False)[0]
    for axes, growth in zip(panels, growths, strict=True):
        _draw_growth(axes, growth)
    return figure


def _draw_growth(axes: Axes, growth: Growth) -> None:
    middle = [spread.median for spread in growth.seconds]
    below = [spread.median - spread.low for spread in growth.seconds]
    above = [spread.high - spread.median for spread in growth.seconds]
    proportion = [middle[-1] * amount / growth.amounts[-1] for amount in growth.amounts]
    axes.plot(growth.amounts, proportion, color=GREY, linestyle="--", label="in proportion")
    label = f"measured: exponent {growth.exponent.median:.2f}"
    axes.errorbar(
        growth.amounts, middle, yerr=[below, above], color=BLUE, marker="o", capsize=3, label=label
    )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    style_axes(axes, x=growth.what, y="seconds", legend_columns=2)
    axes.set_xticks(growth.amounts, [f"{amount:,}" for amount in growth.amounts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:.3g}")
