"""How the loss falls and rises while the learning rate grows."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from .style import BLUE, GREEN, GREY, ORANGE, make_figure, style_axes

COLOURS = (GREEN, ORANGE, GREY)


def draw_rate_range(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    marks: Mapping[str, float],
    title: str,
) -> Figure:
    """Draw the losses, faint, and their moving mean over the rate; ``marks``: rates with a name.

    Losses far above the first one are cut off: what matters lies below.
    """
    figure = make_figure(8.0, 4.5, title)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.plot(rates, losses, color=BLUE, alpha=0.3, linewidth=1.0, label="of each update")
    axes.plot(rates, smoothed, color=BLUE, linewidth=1.8, label="moving mean")
    for colour, (name, rate) in zip(COLOURS, marks.items(), strict=False):
        axes.axvline(rate, color=colour, linestyle="--", label=f"{name}: {rate:.2g}")
    low, room = min(losses), max(smoothed[0] - min(smoothed), 0.05 * smoothed[0])
    axes.set_ylim(low - 0.2 * room, min(max(losses), smoothed[0] + room) + 0.1 * room)
    style_axes(axes, x="learning rate", y="loss + λR(W)", legend_columns=3)
    return figure
