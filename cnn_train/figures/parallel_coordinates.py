"""Trials of settings as lines from axis to axis: which settings go with good results."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import counted
from .style import (
    GREY,
    INK,
    ORANGE,
    SMALL_SIZE,
    TEXT_SIZE,
    hide_axes,
    make_figure,
    shorten,
    shorten_apart,
    with_minus,
)

LOGARITHMIC_FROM = 20.0
"""Positive numbers whose largest is so many times the smallest get a logarithmic axis."""
WORST, BEST = 0.15, 0.85
"""The part of the colour map that lines take: neither end is seen well on white."""
MOST_NAMED = 12
"""Choices named on one axis."""
MOST_NUMBERS = 6
"""Different numbers that are all written; of more, the ends and the middle."""


Scale: TypeAlias = tuple[list[float], dict[float, str]]
"""How high each value stands on its axis, from 0 to 1, and what is written at which height."""


def draw_parallel_coordinates(
    rows: Sequence[Mapping[str, str | float]],
    *,
    result: str,
    unit: str = "",
    more_is_better: bool = True,
    title: str,
) -> Figure:
    """Draw a line per row, from setting to setting and to its ``result``; the best one in orange.

    rows: numbers, or words (YAML) as they are tried, by their names. unit: of the result.
    """
    names = [*dict.fromkeys(name for row in rows for name in row if name != result), result]
    width, title = (
        min(max(5.0, 1.7 * len(names)), 16.0),
        f"{title}: {counted(len(rows), 'trial')}",
    )
    figure = make_figure(width, 4.4, title)
    axes = figure.add_subplot()
    hide_axes(axes)
    rows = sorted(rows, key=lambda row: float(row[result]), reverse=not more_is_better)
    scales = [_scale([row.get(name, "—") for row in rows]) for name in names]
    for number in range(len(rows)):
        share = number / max(len(rows) - 1, 1)
        is_best = number == len(rows) - 1
        axes.plot(
            range(len(names)),
            [heights[number] for heights, _ in scales],
            color=ORANGE if is_best else colormaps["viridis_r"](WORST + (BEST - WORST) * share),
            linewidth=2.4 if is_best else 1.2,
            alpha=1.0 if is_best else 0.75,
            zorder=2 + share,
        )
    for place, (name, (_, labels)) in enumerate(zip(names, scales, strict=True)):
        _draw_axis(axes, place, name + (unit if name == result else ""), labels)
    axes.set(xlim=(-0.35, len(names) - 0.5), ylim=(-0.06, 1.16))
    return figure


def _draw_axis(axes: Axes, place: int, name: str, labels: dict[float, str]) -> None:
    axes.plot([place, place], [0, 1], color=GREY, linewidth=1.0, zorder=1)
    axes.text(
        place, 1.1, shorten(name, 24, keep_end=True), ha="center", color=INK, size=TEXT_SIZE,
        weight="bold", parse_math=False,
    )  # fmt: skip
    for height, label in labels.items():
        axes.text(
            place + 0.04, height, label, va="center", color=INK, size=SMALL_SIZE, zorder=9,
            parse_math=False, bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.6},
        )  # fmt: skip


def _scale(values: Sequence[str | float]) -> Scale:
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return _scale_words(list(map(str, values)))
    if not numbers:
        return [], {}
    low, high = min(numbers), max(numbers)
    if low == high:
        return [0.5] * len(numbers), {0.5: _write(low)}
    if low > 0 and high / low > LOGARITHMIC_FROM:
        base, span = math.log(low), math.log(high / low)
        heights = [(math.log(number) - base) / span for number in numbers]
        middle = math.exp(base + span / 2)
    else:
        heights = [(number - low) / (high - low) for number in numbers]
        middle = (low + high) / 2
    if len(set(numbers)) <= MOST_NUMBERS:
        return heights, dict(zip(heights, map(_write, numbers), strict=True))
    return heights, {0.0: _write(low), 0.5: _write(middle), 1.0: _write(high)}


def _scale_words(words: Sequence[str]) -> Scale:
    kinds = sorted(set(words))
    heights = {kind: (i + 0.5) / len(kinds) for i, kind in enumerate(kinds)}
    short = dict(zip(kinds, shorten_apart(kinds, 18), strict=True))
    named = kinds[:: math.ceil(len(kinds) / MOST_NAMED)]
    return [heights[word] for word in words], {heights[kind]: short[kind] for kind in named}


def _write(number: float) -> str:
    is_whole = number.is_integer() and abs(number) < 1e6
    return with_minus(f"{number:.0f}" if is_whole else f"{number:.3g}")
