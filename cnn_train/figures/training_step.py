"""One training step: what comes out of each layer, what comes back, how far the weights move."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, GREEN, GREY, INK, ORANGE, SMALL_SIZE, make_figure, style_axes

USUAL_RATIO = 1e-3
"""An update of about a thousandth of the weights is neither too large nor too small."""

PHASE_COLOURS = (GREY, BLUE, ORANGE, GREEN, INK)

Sizes = Sequence[float | None]


def draw_training_step(
    layers: Sequence[str],
    outputs: Sizes,
    gradients: Sizes,
    ratios: Sizes,
    phase_seconds: Mapping[str, float],
    title: str,
) -> Figure:
    """Draw three sizes of every layer, from the first on top, and the time of every phase.

    ``outputs`` and ``gradients`` are root mean squares, ``ratios`` are ‖Δθ‖/‖θ‖; None and 0 have
    no place on a logarithmic axis and are left out.
    """
    layers_inches = 0.21 * len(layers) + 1.0
    figure = make_figure(10.0, layers_inches + 1.8, title)
    grid = figure.add_gridspec(2, 3, height_ratios=[layers_inches, 0.9])
    left = figure.add_subplot(grid[0, 0])
    others = [figure.add_subplot(grid[0, i], sharey=left) for i in (1, 2)]
    _draw_sizes(left, outputs, BLUE, "F-pass: outputs ↓", "RMS of the output")
    _draw_sizes(others[0], gradients, ORANGE, "B-pass: gradients ↑", "RMS of dL/d(output)")
    _draw_sizes(others[1], ratios, GREEN, "Update", "‖Δθ‖ / ‖θ‖")
    others[1].axvline(USUAL_RATIO, color=GREY, linestyle="--", linewidth=1.2)
    left.set_yticks(range(len(layers)), layers)
    left.set_ylim(len(layers) - 0.5, -0.5)
    for axes in others:
        axes.tick_params(labelleft=False)
    _draw_phases(figure.add_subplot(grid[1, :]), phase_seconds)
    return figure


def _draw_sizes(axes: Axes, sizes: Sizes, color: str, title: str, x: str) -> None:
    """Draw a point per layer and join them in their order."""
    known = [(size, i) for i, size in enumerate(sizes) if size]
    axes.set_xscale("log")
    if known:
        axes.plot(*zip(*known, strict=True), color=color, lw=1.4, marker="o", ms=4)
        low, high = (
            round_to(log10(end(known)[0])) for round_to, end in ((floor, min), (ceil, max))
        )
        axes.set_xlim(10.0**low, 10.0 ** max(high, low + 1))
    style_axes(axes, title=title, x=x)
    axes.minorticks_off()


def _draw_phases(axes: Axes, phase_seconds: Mapping[str, float]) -> None:
    """Draw one bar of all phases, each with its name and milliseconds."""
    total = sum(phase_seconds.values())
    start = 0.0
    for (phase, seconds), color in zip(phase_seconds.items(), PHASE_COLOURS, strict=False):
        label = f"{phase} {1000 * seconds:.1f}"
        axes.barh(0, 1000 * seconds, left=start, color=color, height=0.6, label=label)
        start += 1000 * seconds
    style_axes(axes, title=f"Time of a step: {1000 * total:.1f} ms", x="ms", grid=False)
    axes.set_yticks([])
    axes.set_xlim(0, start)
    axes.legend(
        fontsize=SMALL_SIZE, frameon=False, labelcolor=INK, ncols=len(phase_seconds),
        loc="lower left", bbox_to_anchor=(0.2, 0.95), handlelength=1.0, columnspacing=1.2,
    )  # fmt: skip
