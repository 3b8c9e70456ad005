"""The few constants that make every figure look like one family.

Colours: Okabe and Ito's palette (Color Universal Design, 2008), which people with any kind of
colour vision can tell apart.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.ticker import MaxNLocator

from ..errors import in_one_line

BLUE = "#0072B2"
ORANGE = "#D55E00"
GREEN = "#009E73"
GREY = "#8A8F98"
INK = "#22262B"
GRID = "#DDE0E4"

TITLE_SIZE = 12.0
TEXT_SIZE = 9.0
SMALL_SIZE = 8.0

TITLE_PAD, LEGEND_ROW = 6.0, 13.0
"""Points between a panel and its title, and what a row of names between them takes."""

MOST_MARKED_POINTS = 40

Drawing: TypeAlias = Figure
"""The name of a figure outside of this package, where matplotlib is not imported."""


def make_figure(width_inches: float, height_inches: float, title: str) -> Figure:
    """Make an empty figure with a title; its panels arrange themselves."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)  # inches
    figure = Figure(figsize=(width_inches, height_inches), layout=layout, facecolor="white")
    heading = figure.suptitle(title, size=TITLE_SIZE, weight="bold", color=INK)
    heading.set_parse_math(False)  # a run or class may be called a$b$c
    return figure


def style_axes(
    axes: Axes,
    *,
    title: str = "",
    x: str = "",
    y: str = "",
    grid: bool = True,
    legend_columns: int = 0,
) -> None:
    """Give a panel its title, its axis labels, a faint grid and no box around it.

    With ``legend_columns`` the curves are named between title and panel, where no curve can lie.
    """
    pad = TITLE_PAD
    if legend_columns:
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3}
        legend = add_legend_outside(
            axes, ncols=legend_columns, borderpad=0, handlelength=1.6, columnspacing=1.2, **above
        )
        pad += LEGEND_ROW * math.ceil(len(legend.get_texts()) / legend_columns)
    axes.set_title(title, size=TEXT_SIZE + 1, color=INK, loc="left", pad=pad, parse_math=False)
    axes.set_xlabel(x, size=TEXT_SIZE, color=INK)
    axes.set_ylabel(y, size=TEXT_SIZE, color=INK)
    axes.tick_params(labelsize=SMALL_SIZE, colors=INK, length=0)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(color=GRID, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)


def add_legend_outside(axes: Axes, **place: Any) -> Legend:
    """Name the curves beside the panel, where ``place`` (options of ``Axes.legend``) says."""
    legend = axes.legend(fontsize=SMALL_SIZE, frameon=False, labelcolor=INK, **place)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return legend


def style_bar(bar: Colorbar) -> None:
    """Give a colour bar small numbers and no box around it."""
    bar.ax.tick_params(labelsize=SMALL_SIZE, colors=INK, length=0)
    bar.outline.set_visible(False)


def style_epochs(axes: Axes, num_epochs: int) -> None:
    """Label whole epochs, which count from 1."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.set_xlim(0.5, num_epochs + 0.5)


def mark_departure(
    axes: Axes,
    records: Sequence[Mapping[str, float]],
    step: int,
    colour: str,
    field: str = "",
    factor: float = 1,
) -> None:
    """Mark where a branch left its run: a line at update ``step``, a diamond where curves part.

    They part at the last epoch that both share, which may have ended some updates earlier. The
    axis is made longer where it begins after the line.
    """
    ends = [0.0, *(record["step"] for record in records)]
    epoch = float(np.interp(step, ends, range(len(ends))))
    axes.axvline(epoch, color=colour, linestyle=":", linewidth=1.2)
    axes.set_xlim(left=min(axes.get_xlim()[0], epoch - 0.1))
    if field and (shared := int(epoch)):
        height = records[shared - 1].get(field, math.nan) * factor
        axes.plot([shared], [height], "D", color=colour, mec=INK, markersize=8, zorder=4)


def mark_points(num_points: int) -> str:
    """Return the marker of a curve's points; none where they are so many that they would touch."""
    return "o" if num_points <= MOST_MARKED_POINTS else ""


def hide_axes(axes: Axes) -> None:
    """Remove the ticks and the frame of a panel: for pictures."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def shorten(text: str, length: int, *, keep_end: bool = False) -> str:
    """Cut a line of ``text`` to ``length`` letters, with an ellipsis where something is missing."""
    text = in_one_line(text)
    if len(text) <= length:
        return text
    return "…" + text[1 - length :] if keep_end else text[: length - 1] + "…"


def shorten_apart(names: Sequence[str], length: int) -> list[str]:
    """Cut names to ``length`` characters so that different ones stay different.

    Those that would look alike begin shortly before the place where they differ; where that does
    not help, all get their number.
    """
    short = [shorten(name, length) for name in names]
    counts = Counter(shorten(name, length) for name in set(names))
    for clash in [text for text, count in counts.items() if count > 1]:
        alike = [i for i, text in enumerate(short) if text == clash]
        first, last = min(names[i] for i in alike), max(names[i] for i in alike)
        common = next(k for k in range(len(last)) if first[k : k + 1] != last[k])
        for i in alike:
            short[i] = shorten("…" + names[i][max(common - length // 4, 1) :], length)
    if len(set(short)) == len(set(names)):
        return short
    return [f"{i} {shorten(name, length - 1 - len(str(i)))}" for i, name in enumerate(names)]


def with_minus(number: str) -> str:
    """Write a minus sign where a number has a hyphen."""
    return number.replace("-", "−")


def fold(text: str, length: int, most_lines: int) -> str:
    """Break ``text`` into lines, after a space or sign where there is one; shorten the last."""
    lines: list[str] = []
    while len(text) > length and len(lines) < most_lines - 1:
        ends = [sign.end() for sign in re.finditer(r"[ ,+*/)-]", text[:length])]
        cut = ends[-1] if ends else length
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return "\n".join([*lines, shorten(text, length)])
