"""Losses that fall: by updates made and by the clock, with many or few images per update."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, GREY, INK, ORANGE, SMALL_SIZE, make_figure, style_axes

COLOURS = (BLUE, ORANGE)

SIDE_MARGIN = 0.16
"""The part of the axis of sizes that is left at each end for the numbers beside the points."""

MOST_FINE_DECADES = 3
"""Powers of ten, up to which 2 and 5 are labelled too."""

Points = Sequence[tuple[float, float]]


def draw_descent(
    by_updates: Mapping[str, Points],
    by_seconds: Mapping[str, Points],
    title: str,
    draw_beside: Callable[[Axes], None] | None = None,
) -> Figure:
    """Draw (updates, loss) and (seconds, loss) of every training, by name, side by side.

    ``draw_beside`` draws into a third part of the figure.
    """
    figure = make_figure(*((15.0, 5.0) if draw_beside else (10.0, 4.4)), title)
    left, right, *beside = figure.subplots(1, 3 if draw_beside else 2)
    right.sharey(left)
    if draw_beside:
        draw_beside(*beside)
    draw_losses(left, by_updates)
    draw_losses(right, by_seconds)
    left.set_xscale("symlog", linthresh=1)
    most = max(updates for points in by_updates.values() for updates, _ in points)
    ticks = [0, *(tick for tick in round_numbers(1, max(most, 2)) if tick <= most)]
    left.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    left.set_xlim(left=0)
    left.minorticks_off()
    label = "updates made, logarithmic from 1 on"
    style_axes(left, title="By updates", x=label, y="loss per image", legend_columns=2)
    style_axes(right, title="By the clock", x="seconds of training")
    return figure


def draw_batch_sizes(
    sizes: Sequence[int],
    cosines: Sequence[float],
    noises: Sequence[float],
    law: Sequence[float],
    milliseconds: Sequence[float],
    losses: Mapping[str, Points],
    title: str,
) -> Figure:
    """Draw gradients, time and training by size; the last of ``sizes`` means all images.

    ``law`` is what the ``noises`` should be. Both lack the last size, whose noise is 0.
    ``losses`` are (seconds, loss) of each training, by its name.
    """
    figure = make_figure(10.0, 7.2, title)
    (cosine, noise), (time, loss) = figure.subplots(2, 2)
    _by_size(cosine, sizes, cosines, all_sizes=sizes)
    cosine.set_ylim(top=1.02)
    style_axes(cosine, title="Direction", x="images per update", y="cosine with the full gradient")
    label = "σ²/B · (N − B)/(N − 1)"
    noise.plot(sizes[:-1], law, color=GREY, linestyle="--", lw=1.2, label=label)
    _by_size(noise, sizes[:-1], noises, label="measured", all_sizes=sizes, is_log=True)
    style_axes(noise, title="Noise", x="images per update", y="‖g_B − g‖² / ‖g‖²", legend_columns=2)
    _by_size(time, sizes, milliseconds, all_sizes=sizes, is_log=True)
    style_axes(time, title="Cost", x="images per update", y="ms per update")
    draw_losses(loss, losses)
    style_axes(
        loss, title="Training", x="seconds of training", y="loss per image", legend_columns=4
    )
    return figure


def draw_losses(axes: Axes, curves: Mapping[str, Points]) -> None:
    """Draw one line per training, with a mark at each point."""
    colors = COLOURS if len(curves) <= len(COLOURS) else shades(len(curves))
    for (name, points), color in zip(curves.items(), colors, strict=False):
        x, y = zip(*points, strict=True)
        axes.plot(x, y, color=color, label=name, lw=1.8, marker="o", ms=3.5)


def shades(number: int) -> list[Any]:
    """Return colours from light to dark, for sizes in their order."""
    return [colormaps["viridis_r"](0.12 + 0.88 * i / (number - 1)) for i in range(number)]


def round_numbers(low: float, high: float) -> list[float]:
    """Return round numbers that enclose ``low`` and ``high`` (above 0), and those in between.

    1, 2, 5, 10, … or, over many decades, powers of ten alone; two of them at least.
    """
    first, last = floor(log10(low)), ceil(log10(high))
    digits = (1, 2, 5) if last - first <= MOST_FINE_DECADES else (1,)
    numbers = [digit * 10.0**power for power in range(first, last + 1) for digit in digits]
    start = max(i for i, number in enumerate(numbers) if number <= low)
    end = min(i for i, number in enumerate(numbers) if number >= high and i > start)
    return numbers[start : end + 1]


def _by_size(
    axes: Axes,
    sizes: Sequence[int],
    values: Sequence[float],
    label: str | None = None,
    *,
    all_sizes: Sequence[int],
    is_log: bool = False,
) -> None:
    """Draw values over sizes in powers of two, with the number beside each point."""
    axes.plot(sizes, values, color=BLUE, lw=1.8, marker="o", ms=4, label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks(all_sizes, [f"{size:,}" for size in all_sizes])
    span = (all_sizes[-1] / all_sizes[0]) ** SIDE_MARGIN
    axes.set_xlim(all_sizes[0] / span, all_sizes[-1] * span)
    axes.margins(y=0.15)
    if is_log:
        axes.set_yscale("log")
        ticks = round_numbers(*axes.get_ylim())
        axes.set_ylim(ticks[0], ticks[-1])
        axes.set_yticks(ticks, [f"{tick:,g}" for tick in ticks])
    axes.minorticks_off()
    offset = (5, -11) if values[-1] > values[0] else (5, 5)  # points; off the line
    for size, value in zip(sizes, values, strict=True):
        text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        axes.annotate(
            text, (size, value), offset, textcoords="offset points", size=SMALL_SIZE, color=INK
        )
