"""The learning curves of several runs in one picture."""

from collections.abc import Mapping, Sequence
from math import nan

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..metrics.best import best_record
from .style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    SMALL_SIZE,
    make_figure,
    mark_departure,
    shorten_apart,
    style_axes,
    style_epochs,
)  # fmt: skip

COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", INK, GREY)
"""The palette of style.py and three more colours of it; each has a kind of line of its own."""

DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 3)), "-")

MOST_CURVES = len(COLOURS)
NAME_LENGTH = 56

Records = Sequence[Mapping[str, float]]


def draw_comparison(
    curves: Mapping[str, Records], title: str, departures: Mapping[str, int | None] | None = None
) -> Figure:
    """Draw validation loss and accuracy of up to MOST_CURVES runs, with a star at each's best.

    departures: by the name of a branch, the update after which it left another run; it is marked.
    """
    assert 0 < len(curves) <= MOST_CURVES
    figure = make_figure(10.0, 4.6 + 0.2 * len(curves), title)
    loss, accuracy = figure.subplots(1, 2)
    names = shorten_apart([*curves], NAME_LENGTH)
    style_axes(loss, title="Validation loss", x="epoch", y="loss per image")
    style_axes(accuracy, title="Validation accuracy; star: best epoch", x="epoch", y="accuracy (%)")
    epochs = max((record["epoch"] for records in curves.values() for record in records), default=0)
    for axes in (loss, accuracy):
        style_epochs(axes, round(epochs) + 1)
    for i, (name, (key, records)) in enumerate(zip(names, curves.items(), strict=True)):
        step = (departures or {}).get(key)
        label = name if step is None else f"{name}  (leaves its run after update {step:,})"
        for axes, field, factor in ((loss, "val_loss", 1), (accuracy, "val_accuracy", 100)):
            _draw(axes, records, field, factor, i, label)
            if step is not None:
                mark_departure(axes, records, step, COLOURS[i], field, factor)
    look = {"frameon": False, "fontsize": SMALL_SIZE, "labelcolor": INK, "handlelength": 4}
    named, columns = accuracy.get_legend_handles_labels(), 2 if len(curves) > 4 else 1
    legend = figure.legend(*named, loc="outside lower left", ncols=columns, **look)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _draw(axes: Axes, records: Records, field: str, factor: float, i: int, name: str) -> None:
    look = {"color": COLOURS[i], "linestyle": DASHES[i], "linewidth": 1.8, "label": name}
    axes.plot(
        [record["epoch"] + 1 for record in records],
        [record.get(field, nan) * factor for record in records],
        **look,  # type: ignore[arg-type]
    )
    best = best_record(records)
    if best is not None:
        point = [best["epoch"] + 1], [best.get(field, nan) * factor]
        axes.plot(*point, "*", color=COLOURS[i], mec=INK, markersize=11, zorder=3)
