"""A loss worked out by hand, as bars: the scores, what each class adds, the gradient.

Shape letters: K classes, C channels, H W pixels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from .mistakes import show_image
from .style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SMALL_SIZE,
    make_figure,
    shorten_apart,
    style_axes,
    with_minus,
)

MOST_CLASSES = 12
"""Of more, the right class and those that matter most for the loss are drawn."""

NEAR_TARGET = 0.2
"""A mark nearer to the end of its bar would lie on the number, which then moves past the mark."""


@dataclass(frozen=True)
class LossRow:
    """One example. All but ``label`` are of length K.

    shares: what column two shows, a term or a probability. limit: the score above which a wrong
    class costs something; None where every score does. targets: where the shares ought to be.
    image_CHW: the photo (uint8) that was scored, in all rows or in none.
    """

    title: str
    label: int
    scores: tuple[float, ...]
    shares: tuple[float, ...]
    gradient: tuple[float, ...]
    limit: float | None = None
    targets: tuple[float, ...] | None = None
    image_CHW: Tensor | None = None


def draw_worked_loss(
    rows: Sequence[LossRow], class_names: Sequence[str], columns: Sequence[str], title: str
) -> Figure:
    """Draw a row of panels per example, its image and a bar per class; the right class in blue.

    ``columns`` name the scores, the shares and the gradient.
    """
    num_drawn = min(len(class_names), MOST_CLASSES)
    height_inches = (0.24 * num_drawn + 0.5) * len(rows) + 1.0
    has_images = rows[0].image_CHW is not None
    figure = make_figure(10.0 + 2 * has_images, height_inches, title)
    widths = [0.6] * has_images + [1, 1, 1]
    grid = figure.subplots(len(rows), len(widths), squeeze=False, width_ratios=widths)
    for line, row in zip(grid, rows, strict=True):
        if row.image_CHW is not None:
            show_image(line[0], row.image_CHW)
    grid = grid[:, has_images:]
    for (left, middle, right), row in zip(grid, rows, strict=True):
        chosen = _choose_classes(row)
        _draw_bars(left, row, chosen, row.scores)
        _draw_excess(left, row, chosen)
        is_cost = row.limit is not None
        _draw_bars(middle, row, chosen, row.shares, row.targets, ORANGE if is_cost else GREY)
        _draw_bars(right, row, chosen, row.gradient)
        few = f"; {len(chosen)} of {len(class_names)} classes"
        heading = row.title + few * (len(chosen) < len(class_names))
        left.set_title(heading, size=SMALL_SIZE + 1, color=INK, loc="left", parse_math=False)
        names = shorten_apart([class_names[j] for j in chosen], 16)
        left.set_yticks(range(len(chosen)), names, parse_math=False)
        left.get_yticklabels()[chosen.index(row.label)].set_fontweight("bold")
    limits = [row.limit for row in rows if row.limit is not None]
    targets = [target for row in rows for target in row.targets or ()]
    _set_range(grid[:, 0], [*limits, *(score for row in rows for score in row.scores)])
    _set_range(grid[:, 1], [*targets, *(share for row in rows for share in row.shares)])
    _set_range(grid[:, 2], [slope for row in rows for slope in row.gradient])
    for axes in grid[:-1].ravel():
        axes.tick_params(labelbottom=False)
    for axes in grid[:, 1] if targets else ():
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    for axes, name in zip(grid[-1], columns, strict=True):
        axes.set_xlabel(name, size=SMALL_SIZE + 1, color=INK, parse_math=False)
    return figure


def _choose_classes(row: LossRow) -> list[int]:
    by_weight = sorted(range(len(row.scores)), key=lambda j: -abs(row.gradient[j]))
    others = [j for j in by_weight if j != row.label]
    return sorted([row.label, *others[: MOST_CLASSES - 1]])


def _draw_bars(
    axes: Axes,
    row: LossRow,
    chosen: Sequence[int],
    values: Sequence[float],
    targets: Sequence[float] | None = None,
    others: str = GREY,
) -> None:
    """Draw a bar with its number per class, and a mark where each bar ought to end."""
    for i, j in enumerate(chosen):
        value, color = values[j], BLUE if j == row.label else others
        axes.barh(i, value, color=color, height=0.7)
        end = value
        if targets is not None:
            axes.plot(targets[j], i, "|", color=INK, markersize=14, markeredgewidth=1.6)
            end = targets[j] if value < targets[j] < value + NEAR_TARGET else value
        if row.limit is not None:
            end = max(end, 0.0)  # to the left, what a score has beyond the limit is drawn
        side, number = -1 if end < 0 else 1, with_minus(f"{value:.3g}")
        axes.annotate(
            number, (end, i), (4 * side, 0), textcoords="offset points", size=SMALL_SIZE, color=INK,
            va="center", ha="left" if side > 0 else "right",
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip
    style_axes(axes, grid=False)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks([])
    axes.set_ylim(len(chosen) - 0.5, -0.5)


def _draw_excess(axes: Axes, row: LossRow, chosen: Sequence[int]) -> None:
    """Mark in orange how far each wrong score lies beyond the limit: that is what costs."""
    if row.limit is None:
        return
    axes.axvline(row.limit, color=INK, linestyle="--", linewidth=1)
    for i, j in enumerate(chosen):
        if j != row.label and row.scores[j] > row.limit:
            axes.plot([row.limit, row.scores[j]], [i, i], color=ORANGE, lw=4, solid_capstyle="butt")


def _set_range(column: Iterable[Axes], values: Sequence[float]) -> None:
    """Show all values and 0, with room for the numbers at the ends of the bars."""
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.25 * (high - low) or 1.0
    for axes in column:
        axes.set_xlim(low - room * (low < 0), high + room)
