"""The loss around the trained weights: seen from above, and cut along both directions.

Shape letters: G distances.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, NullLocator
from torch import Tensor

from .style import (
    BLUE,
    GREY,
    GRID,
    INK,
    ORANGE,
    SMALL_SIZE,
    TEXT_SIZE,
    make_figure,
    style_axes,
    style_bar,
    with_minus,
)

COLOURS = "viridis"
NUM_SHADES = 96
LARGEST_LINEAR_RATIO = 3.0
"""If the largest loss is more than this times the smallest, the colours are logarithmic."""
LARGEST_RATIO = 1e6
"""Smaller losses are drawn as the largest divided by this: 0 has no logarithm."""
NICE_STEPS: tuple[tuple[float, ...], ...] = (
    (1, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 4, 5, 6, 7, 8.5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 2, 5),
    (1,),
)
"""Round levels within a power of ten, from many to few."""
MOST_LEVELS = 14
FINER = 4
"""Points of the smoothed map per measured point, along each direction."""
LABEL_ROOM = 0.075
"""Least distance between two written losses, and from the weights, as a share of the reach."""
BELOW = 0.04
"""Room below the smallest loss, as a share of the height of the cuts."""
UNIT = "in lengths of each filter"
PATH_UNIT = "distance of the weights"
Places = Mapping[int, tuple[float, float]]


def draw_loss_surface(
    distance_G: Tensor, loss_GG: Tensor, title: str, path: Places | None = None
) -> Figure:
    """Draw losses (rows along the second direction, columns along the first) as a map and as cuts.

    The weights are at the middle. What is not finite is left grey. path: places on the way there by
    the number of updates; the unit is then the distance of the weights.
    """
    figure = make_figure(11.0, 5.2, title)
    plane, cuts = figure.subplots(1, 2, width_ratios=(1.12, 1))
    levels, norm = choose_levels(loss_GG)
    _draw_plane(plane, distance_G, loss_GG, levels, norm)
    if path:
        _draw_path(plane, path, 2 * LABEL_ROOM * float(distance_G[-1]))
    _mark_weights(plane, float(loss_GG[len(loss_GG) // 2, len(loss_GG) // 2]))
    bar = figure.colorbar(ScalarMappable(norm, COLOURS), ax=plane, shrink=0.9, pad=0.02)
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.set_ticks(levels, labels=[f"{level:g}" for level in levels])
    bar.ax.set_title("loss", size=TEXT_SIZE, color=INK)
    style_bar(bar)
    _draw_cuts(cuts, distance_G, loss_GG, levels, norm)
    ticks = [share * float(distance_G[-1]) for share in (-1, -0.5, 0, 0.5, 1)]
    if path:
        plane.set(xlabel=f"along d₁, {PATH_UNIT}", ylabel=f"along d₂, {PATH_UNIT}")
        cuts.set_xlabel(PATH_UNIT)
    for axis in (plane.xaxis, plane.yaxis, cuts.xaxis):
        axis.set_ticks(ticks, [with_minus(f"{tick:g}") for tick in ticks])
    return figure


def draw_ways(
    axes: Axes,
    distances: Sequence[float],
    losses: Sequence[Sequence[float]],
    ways: Iterable[Mapping[int, Sequence[float]]],
) -> None:
    """Draw two ways over losses (rows along the second direction), the first one on top."""
    distance_G, loss_GG = torch.tensor(distances), torch.tensor(losses, dtype=torch.float64)
    _draw_plane(axes, distance_G, loss_GG, *choose_levels(loss_GG), "Over the loss, from above")
    outline = [withStroke(linewidth=4, foreground="white")]
    for way, colour in reversed(list(zip(ways, (BLUE, ORANGE), strict=True))):
        axes.plot(*zip(*way.values(), strict=True), "o-", color=colour, path_effects=outline)
        last, (x, y) = list(way.items())[-1]
        axes.annotate(
            f"{last:,} updates", (x, y), (0, -20 if y > 0 else 12), textcoords="offset points",
            color="white", ha="right" if x > 0 else "left",
            path_effects=[withStroke(linewidth=3, foreground=colour)],
        )  # fmt: skip
        axes.plot(*way[0], "s", color="white", ms=8, mec=INK)
    axes.set(xlabel=f"along d₁, {PATH_UNIT}", ylabel="along d₂")


def choose_levels(loss_GG: Tensor) -> tuple[list[float], Normalize]:
    """Return round losses for the lines, and the scale of the colours, from the finite losses.

    The scale is logarithmic if they vary much.
    """
    finite = loss_GG[loss_GG.isfinite()]
    low, high = float(finite.min()), float(finite.max())
    low = max(low, high / LARGEST_RATIO)
    if high <= low * LARGEST_LINEAR_RATIO:
        high = high if high > low else low + 1.0  # flat: one colour
        ticks = MaxNLocator(nbins=10, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        return [float(tick) for tick in ticks if low < tick < high], Normalize(low, high)
    return _log_levels(low, high), LogNorm(low, high)


def _log_levels(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in NICE_STEPS:
        levels = [float(f"{step}e{power}") for power in powers for step in steps]
        inside = [level for level in levels if low < level < high]
        if len(inside) <= MOST_LEVELS:
            break
    return inside


def _draw_plane(
    axes: Axes,
    distance_G: Tensor,
    loss_GG: Tensor,
    levels: Sequence[float],
    norm: Normalize,
    title: str = "From above",
) -> None:
    reach, middle = float(distance_G[-1]), len(distance_G) // 2
    low, high = float(norm.vmin or 0), float(norm.vmax or 1)
    shades = (np.geomspace if isinstance(norm, LogNorm) else np.linspace)(low, high, NUM_SHADES)
    finite_GG = loss_GG.clamp(low, high).where(loss_GG.isfinite(), math.nan)
    losses = np.ma.masked_invalid(smooth(finite_GG).numpy())
    side = np.linspace(-reach, reach, len(losses))
    axes.set_facecolor(GRID)
    axes.contourf(side, side, losses, shades, norm=norm, cmap=COLOURS, extend="both")
    lines = axes.contour(side, side, losses, levels, colors="white", linewidths=0.8)
    _label_lines(axes, lines, levels, reach, loss_GG[: middle + 1, middle].flip(0))
    axes.set_aspect("equal")
    title += "" if loss_GG.isfinite().all() else "; grey: not finite"
    style_axes(axes, title=title, x=f"along d₁, {UNIT}", y=f"along d₂, {UNIT}", grid=False)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)


def smooth(loss_GG: Tensor) -> Tensor:
    """Return losses with finer steps: cubic curves of log loss, through all measured points.

    If a loss is not finite all are returned as they are, for it would spoil its neighbours.
    """
    if not (loss_GG.isfinite().all() and loss_GG.min() > 0):
        return loss_GG
    return _finer(_finer(loss_GG.log()).T).T.exp()


def _finer(rows_NG: Tensor) -> Tensor:
    """Add points to each row by Catmull and Rom's cubic; beyond its ends a row is straight."""
    before_N1 = 2 * rows_NG[:, :1] - rows_NG[:, 1:2]
    after_N1 = 2 * rows_NG[:, -1:] - rows_NG[:, -2:-1]
    neighbours_NS4 = torch.cat((before_N1, rows_NG, after_N1), dim=1).unfold(1, 4, 1)
    t = torch.arange(FINER, dtype=rows_NG.dtype) / FINER
    weights_4T = torch.stack(
        (
            -0.5 * t + t**2 - 0.5 * t**3,
            1 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        )
    )
    return torch.cat(((neighbours_NS4 @ weights_4T).flatten(1), rows_NG[:, -1:]), dim=1)


def _label_lines(
    axes: Axes, lines: ContourSet, levels: Sequence[float], reach: float, loss_M: Tensor
) -> None:
    """Write losses on the lines where they cross the vertical below the weights, well apart.

    loss_M: the losses on that vertical, from the weights on.
    """
    places: list[tuple[float, float]] = []
    steps = loss_M.tolist()
    for level in levels:
        for i, (nearer, farther) in enumerate(pairwise(steps)):
            if min(nearer, farther) < level <= max(nearer, farther):
                share = (i + (level - nearer) / (farther - nearer)) / (len(steps) - 1)
                taken = [-y / reach for _, y in places]
                if all(abs(share - other) > LABEL_ROOM for other in (*taken, 0, 1)):
                    places.append((0.0, -share * reach))
    for text in axes.clabel(lines, fmt="%g", fontsize=SMALL_SIZE, colors="white", manual=places):
        text.set_path_effects([withStroke(linewidth=2, foreground=INK)])


def _draw_path(axes: Axes, path: Places, room: float) -> None:
    """Draw the way; label its first place, and others that are farther than ``room`` from those."""
    outline = [withStroke(linewidth=3, foreground=INK)]
    (start, first), *_ = path.items()
    axes.plot(*zip(*path.values(), strict=True), "o-", color=ORANGE, ms=4, path_effects=outline)
    axes.plot(*first, "s", color="white", ms=8, mec=INK)
    labelled = [(0.0, 0.0)]
    for step, place in path.items():
        if all(math.dist(place, other) > room for other in labelled):
            labelled.append(place)
            axes.annotate(
                f"update {step:,}" if step == start else f"{step:,}", place, (6, 6),
                textcoords="offset points", color="white", size=SMALL_SIZE, path_effects=outline,
            )  # fmt: skip


def _mark_weights(axes: Axes, loss: float) -> None:
    outline = [withStroke(linewidth=3, foreground=INK)]
    axes.plot(0, 0, "x", color="white", ms=9, mew=2, path_effects=outline)
    axes.annotate(
        _trained(loss), (0, 0), (8, 6), textcoords="offset points", color="white",
        size=TEXT_SIZE, path_effects=outline,
    )  # fmt: skip


def _trained(loss: float) -> str:
    return f"trained: {loss:#.4g}".rstrip(".")


def _draw_cuts(
    axes: Axes, distance_G: Tensor, loss_GG: Tensor, levels: Sequence[float], norm: Normalize
) -> None:
    distances, middle = distance_G.tolist(), len(distance_G) // 2
    loss, low, high = float(loss_GG[middle, middle]), float(norm.vmin or 0), float(norm.vmax or 1)
    if low <= 2 * loss < high:
        axes.axhline(2 * loss, color=GREY, linestyle=":", lw=1.2, label="twice the trained loss")
    drawn_GG = loss_GG.clamp(min=low)  # 0 has no logarithm
    axes.plot(distances, drawn_GG[middle].tolist(), color=BLUE, lw=1.8, label="along d₁")
    axes.plot(distances, drawn_GG[:, middle].tolist(), color=ORANGE, lw=1.8, label="along d₂")
    axes.plot(0, max(loss, low), "x", color=INK, ms=8, mew=2, label=_trained(loss))
    if isinstance(norm, LogNorm):
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(low * (low / high) ** BELOW, high)
    else:
        axes.set_ylim(low - BELOW * (high - low), high)
    axes.set_yticks(levels, [f"{level:g}" for level in levels])
    axes.set_xlim(distances[0], distances[-1])
    style_axes(
        axes, title="Cut along both directions", x=f"distance, {UNIT}", y="data loss + λR",
        legend_columns=2,
    )  # fmt: skip
