"""What λR(W) does: to one weight over updates, to what a network decides, to all its weights.

Shape letters: P weights, G cells along a side of the grid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from .decision_surface import LabelledPoints, draw_plane
from .style import BLUE, GREY, ORANGE, hide_axes, make_figure, style_axes

COLOURS = (GREY, BLUE, ORANGE)
"""Of no penalty, L2 and L1, or of three λ in their order."""

NUM_BINS = 41


@dataclass(frozen=True)
class Plane:
    """What a network made of the plane: its name with its accuracy, leads GG and weights P."""

    title: str
    surface_GG: Tensor
    weights_P: Tensor


def draw_regularization(
    curves: Mapping[str, Sequence[float]],
    planes: Sequence[Plane],
    reach: float,
    train: LabelledPoints,
    test: LabelledPoints,
    own: Mapping[str, Tensor],
    title: str,
) -> Figure:
    """Draw one weight's ways, three planes over the histograms of their weights, and ``own`` ones.

    ``own``: the weights of trainings of a config, by the name of their λ; may be empty.
    """
    num_rows = 3 if own else 2
    figure = make_figure(11.0, 2.9 * num_rows + 0.4, title)
    grid = figure.subplots(num_rows, 1 + len(planes))
    for axes in grid[1:, 0]:
        hide_axes(axes)
    for (name, values), color in zip(curves.items(), COLOURS[1:], strict=True):
        grid[0, 0].plot(values, color=color, lw=1.8, label=name)
    style_axes(grid[0, 0], title="", x="updates", y="one weight, without data", legend_columns=2)
    limit = max(float(plane.weights_P.abs().max()) for plane in planes)
    for i, (plane, color) in enumerate(zip(planes, COLOURS, strict=True), start=1):
        draw_plane(grid[0, i], plane.surface_GG, reach, train, test)
        grid[0, i].set(xlim=(-reach, reach), ylim=(-reach, reach))
        style_axes(grid[0, i], title=plane.title, grid=False)
        _draw_weights(grid[1, i], plane.weights_P, limit, color, "its weights")
    limit = max((float(weights_P.abs().max()) for weights_P in own.values()), default=1.0)
    for i, ((name, weights_P), color) in enumerate(zip(own.items(), COLOURS, strict=False), 1):
        _draw_weights(grid[2, i], weights_P, limit, color, name)
    return figure


def _draw_weights(axes: Axes, weights_P: Tensor, limit: float, color: str, title: str) -> None:
    """Draw how many weights are of each size; the counts are logarithmic, as most are small."""
    edges = [limit * (2 * i / NUM_BINS - 1) for i in range(NUM_BINS + 1)]
    axes.hist(weights_P.numpy(), bins=edges, color=color, log=True)
    style_axes(axes, title=title, x="weight", y="number")
    axes.minorticks_off()
