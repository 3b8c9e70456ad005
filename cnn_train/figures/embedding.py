"""A map of images as points, one colour and mark per class.

Shape letters: N images.
"""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from torch import Tensor

from .style import add_legend_outside, make_figure, shorten_apart, style_axes

MARKS = "os^DvPX<>*"
THUMBNAIL_PT, LEAST_DISTANCE = 19.0, 0.075
"""Points that a shown image takes, and the room between two, as a share of the map's extent."""
MOST_CLASSES_NAMED = 40


def draw_embedding(
    map_N2: Tensor,
    labels_N: Tensor,
    class_names: Sequence[str],
    *,
    axis_names: tuple[str, str],
    title: str,
    pictures: Sequence[Tensor] = (),
) -> Figure:
    """Draw a point per image; the legend names the classes that occur, forty at most.

    ``pictures``: each image (uint8, HWC); those are shown that lie far enough from one another.
    """
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
    shown = spread_out(map_N2) if pictures else []
    for i in shown:
        colour = colours[int(labels_N[i]) % len(colours)]
        image = OffsetImage(pictures[i].numpy(), zoom=THUMBNAIL_PT / max(pictures[i].shape[:2]))
        frame = {"edgecolor": colour, "linewidth": 1.5}
        axes.add_artist(AnnotationBbox(image, tuple(map_N2[i].tolist()), pad=0.1, bboxprops=frame))
    style_axes(axes, x=axis_names[0], y=axis_names[1])
    add_legend_outside(
        axes, handles=[*named.values()][:MOST_CLASSES_NAMED], labels=[*named][:MOST_CLASSES_NAMED],
        loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=1.5,
        ncols=1 if len(named) <= 20 else 2,
    )  # fmt: skip
    return figure


def spread_out(map_N2: Tensor) -> list[int]:
    """Return images from the first on, each of which is far enough from all that were taken."""
    low_2, high_2 = map_N2.amin(dim=0), map_N2.amax(dim=0)
    place_N2 = (map_N2 - low_2) / (high_2 - low_2).clamp(min=1e-12)
    taken: list[int] = []
    for i in range(len(place_N2)):
        gaps_M2 = (place_N2[taken] - place_N2[i]).abs()
        if bool((gaps_M2.amax(dim=1) > LEAST_DISTANCE).all()):
            taken.append(i)
    return taken
