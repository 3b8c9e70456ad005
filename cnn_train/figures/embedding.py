"""A map of images as points, one colour and mark per class.

Shape letters: N images.
"""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from .style import add_legend_outside, make_figure, shorten_apart, style_axes

MARKS = "os^DvPX<>*"
MOST_CLASSES_NAMED = 40


def draw_embedding(
    map_N2: Tensor,
    labels_N: Tensor,
    class_names: Sequence[str],
    *,
    axis_names: tuple[str, str],
    title: str,
) -> Figure:
    """Draw a point per image; the legend names the classes that occur, forty at most."""
    figure = make_figure(9.0, 6.6, title)
    axes = figure.add_subplot()
    colours = colormaps["tab10" if len(class_names) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    short, named = shorten_apart(class_names, 20), {}
    for label in sorted(set(labels_N.tolist())):
        points_M2 = map_N2[labels_N == label].numpy()
        marker, colour = MARKS[label % len(MARKS)], colours[label % len(colours)]
        named[short[label]] = axes.scatter(
            points_M2[:, 0], points_M2[:, 1], s=14, marker=marker, color=colour, alpha=0.7,
            linewidths=0,  # no label=: a legend would leave out what begins with _
        )  # fmt: skip
    style_axes(axes, x=axis_names[0], y=axis_names[1])
    add_legend_outside(
        axes, handles=[*named.values()][:MOST_CLASSES_NAMED], labels=[*named][:MOST_CLASSES_NAMED],
        loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=1.5,
        ncols=1 if len(named) <= 20 else 2,
    )  # fmt: skip
    return figure
