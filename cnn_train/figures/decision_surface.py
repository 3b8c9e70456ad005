"""What a small network makes of the plane, and how it came to it.

Shape letters: N points with 2 coordinates, G cells along a side of the grid.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from .style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    TEXT_SIZE,
    make_figure,
    mark_points,
    style_axes,
    style_bar,
    style_epochs,
)

LabelledPoints = tuple[Tensor, Tensor]
"""points_N2 and labels_N: 0 orange, 1 blue."""

_LEADS = LinearSegmentedColormap.from_list("leads", [ORANGE, "white", BLUE])


def draw_decision_surface(
    surface_GG: Tensor,
    reach: float,
    train: LabelledPoints,
    test: LabelledPoints,
    losses: tuple[Sequence[float], Sequence[float]],
    title: str,
) -> Figure:
    """Draw how far blue leads in [−1, 1] over [−reach, reach]², the points, and the losses.

    ``losses`` are those of the training and of the test points after each epoch.
    """
    figure = make_figure(10.0, 4.9, title)
    plane, curves = figure.subplots(1, 2, width_ratios=(1.15, 1))
    picture = draw_plane(plane, surface_GG, reach, train, test)
    plane.plot([], [], "o", color=INK, markersize=4, label="training")
    plane.plot([], [], "o", color=INK, markersize=4, mfc="white", label="test")
    style_axes(plane, x="x₁", y="x₂", grid=False, legend_columns=2)
    bar = figure.colorbar(picture, ax=plane, shrink=0.8, pad=0.02, ticks=[-1, 0, 1])
    bar.ax.set_yticklabels(["orange", "0", "blue"])
    bar.ax.set_ylim(-1, 1)
    bar.set_label("how far blue leads", size=TEXT_SIZE, color=INK, labelpad=-12)  # beside the 0
    style_bar(bar)
    _draw_losses(curves, *losses)
    return figure


def draw_plane(
    axes: Axes, surface_GG: Tensor, reach: float, train: LabelledPoints, test: LabelledPoints
) -> AxesImage:
    """Draw how far blue leads and the points; return the picture, for a bar of its colours."""
    picture = axes.imshow(
        surface_GG.numpy(),
        cmap=_LEADS,
        vmin=-1.7,  # the full colours are left to the points
        vmax=1.7,
        extent=(-reach, reach, -reach, reach),
        interpolation="bilinear",
    )
    _draw_points(axes, test, hollow=True)
    _draw_points(axes, train, hollow=False)
    return picture


def _draw_points(axes: Axes, points: LabelledPoints, *, hollow: bool) -> None:
    points_N2, labels_N = points
    for label, color in enumerate((ORANGE, BLUE)):
        x1, x2 = points_N2[labels_N == label].T.tolist()
        face = "white" if hollow else color
        edge = color if hollow else "white"
        axes.scatter(x1, x2, s=20, facecolors=face, edgecolors=edge, linewidths=0.8)


def _draw_losses(axes: Axes, train: Sequence[float], test: Sequence[float]) -> None:
    epochs = range(1, len(train) + 1)
    for losses, color, style, name in ((train, INK, "-", "training"), (test, GREEN, "--", "test")):
        axes.plot(
            epochs, losses, style, color=color, linewidth=1.8, markersize=3,
            marker=mark_points(len(epochs)), label=f"{name} points",
        )  # fmt: skip
    style_axes(axes, title="Loss", x="epoch", y="loss per point", legend_columns=2)
    style_epochs(axes, len(epochs))
    axes.update_datalim([(1, 0)])  # with 0 in view, the margin above is a share of the whole height
    axes.autoscale_view(scalex=False)
    axes.set_ylim(bottom=0)
