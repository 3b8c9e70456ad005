"""One training step: what comes out of each layer, what comes back, how far the weights move."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    add_legend_outside,
    hide_axes,
    make_figure,
    style_axes,
)

PHASE_COLOURS = (GREY, BLUE, ORANGE, GREEN, INK)

Sizes = Sequence[float | None]


def draw_training_step(
    layers: Sequence[str],
    outputs: Sizes,
    gradients: Sizes,
    ratios: Sizes,
    phase_seconds: Mapping[str, float],
    title: str,
    *,
    usual_ratio: float,
    timed: str = "a step",
    milliseconds: str = "ms",
) -> Figure:
    """Draw three sizes of every layer, from the first on top, and the time of every phase.

    ``outputs`` and ``gradients`` are root mean squares, ``ratios`` are ‖Δθ‖/‖θ‖, beside a line at
    the usual one; None and 0 have no place on a logarithmic axis and are left out. No phases: the
    steps after this one diverged. ``timed`` and ``milliseconds`` say what took the time.
    """
    layers_inches = 0.21 * len(layers) + 1.0
    times_inches = 0.9 if phase_seconds else 0.2
    figure = make_figure(10.0, layers_inches + 0.9 + times_inches, title)
    grid = figure.add_gridspec(2, 3, height_ratios=[layers_inches, times_inches])
    left = figure.add_subplot(grid[0, 0])
    others = [figure.add_subplot(grid[0, i], sharey=left) for i in (1, 2)]
    _draw_sizes(left, outputs, BLUE, "F-pass: outputs ↓", "RMS of the output")
    _draw_sizes(others[0], gradients, ORANGE, "B-pass: gradients ↑", "RMS of dL/d(output)")
    _draw_sizes(others[1], ratios, GREEN, "Update", "‖Δθ‖ / ‖θ‖", beside=usual_ratio)
    label = f"usual: {usual_ratio:g}"
    others[1].axvline(usual_ratio, color=GREY, linestyle="--", linewidth=1.2, label=label)
    above = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0)}
    add_legend_outside(others[1], borderpad=0.0, borderaxespad=0.3, **above)
    left.set_yticks(range(len(layers)), layers)
    left.set_ylim(len(layers) - 0.5, -0.5)
    for axes in others:
        axes.tick_params(labelleft=False)
    _draw_phases(figure.add_subplot(grid[1, :]), phase_seconds, timed, milliseconds)
    return figure


def _draw_sizes(
    axes: Axes, sizes: Sizes, color: str, title: str, x: str, *, beside: float | None = None
) -> None:
    """Draw a point per layer and join them in their order; the axis reaches to ``beside`` too."""
    known = [(size, i) for i, size in enumerate(sizes) if size]
    axes.set_xscale("log")
    if known:
        axes.plot(*zip(*known, strict=True), color=color, lw=1.4, marker="o", ms=4, clip_on=False)
    around = [beside / 2, beside * 2] if beside else []
    if seen := [size for size, _ in known] + around:
        low, high = floor(log10(min(seen))), ceil(log10(max(seen)))
        axes.set_xlim(10.0**low, 10.0 ** max(high, low + 1))
    style_axes(axes, title=title, x=x)
    axes.minorticks_off()


def _draw_phases(axes: Axes, phase_seconds: Mapping[str, float], timed: str, x: str) -> None:
    """Draw one bar of all phases, each with its name and milliseconds; say so if there are none."""
    if not phase_seconds:
        style_axes(axes, title="No times: the steps after this one diverge", grid=False)
        hide_axes(axes)
        return
    total = sum(phase_seconds.values())
    start = 0.0
    for (phase, seconds), color in zip(phase_seconds.items(), PHASE_COLOURS, strict=False):
        label = f"{phase} {1000 * seconds:.1f}"
        axes.barh(0, 1000 * seconds, left=start, color=color, height=0.6, label=label)
        start += 1000 * seconds
    style_axes(axes, title=f"Time of {timed}: {1000 * total:.1f} ms", x=x, grid=False)
    axes.set_yticks([])
    axes.set_xlim(0, start)
    above = {"loc": "lower left", "bbox_to_anchor": (0.2, 0.95)}
    add_legend_outside(axes, ncols=len(phase_seconds), handlelength=1.0, columnspacing=1.2, **above)
