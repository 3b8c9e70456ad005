"""How a run went: loss, accuracy and learning rate over its epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..metrics.best import best_record
from .style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    TEXT_SIZE,
    make_figure,
    mark_departure,
    mark_points,
    style_axes,
    style_epochs,
)


def draw_learning_curves(
    records: Sequence[Mapping[str, float]], title: str, departure: int | None = None
) -> Figure:
    """Draw one run's epoch records; the best epoch is marked, and where a branch left its run.

    A record holds epoch (from 0), train_loss, train_penalty, val_loss, train_accuracy,
    val_accuracy (fractions) and lr. departure: the update after which a branch left. On screen
    epochs count from 1 and accuracies are in percent.
    """
    assert records
    figure = make_figure(10.0, 5.2, title)
    grid = figure.add_gridspec(2, 2, height_ratios=(4, 1))
    loss, accuracy = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    rate = figure.add_subplot(grid[1, :])
    best = best_record(records)
    _draw_loss(loss, records)
    _draw_accuracy(accuracy, records, best)
    _plot(rate, records, "lr", color=GREEN, label="learning rate")
    style_axes(rate, x="epoch", y="learning rate")
    for axes in (loss, accuracy, rate):
        if best:
            axes.axvline(best["epoch"] + 1, color=GREY, linestyle=":", linewidth=1.2)
        style_epochs(axes, round(records[-1]["epoch"]) + 1)
        if departure is not None:
            mark_departure(axes, records, departure, INK)
    rate.set_ylim(bottom=0)
    if departure is not None:
        title = f"Left its run after update {departure:,}, at the dark dotted line"
        rate.set_title(title, size=TEXT_SIZE, color=INK, loc="left")
    return figure


def _draw_loss(axes: Axes, records: Sequence[Mapping[str, float]]) -> None:
    _plot(axes, records, "train_loss", color=BLUE, label="training")
    _plot(axes, records, "val_loss", color=ORANGE, label="validation")
    if any(record["train_penalty"] for record in records):
        label = "regularisation λR(W)"
        _plot(axes, records, "train_penalty", color=GREY, label=label, linestyle="--")
    style_axes(axes, title="Loss", x="epoch", y="loss per image", legend_columns=3)
    axes.set_ylim(bottom=0)


def _draw_accuracy(
    axes: Axes, records: Sequence[Mapping[str, float]], best: Mapping[str, float] | None
) -> None:
    _plot(axes, records, "train_accuracy", color=BLUE, label="training", factor=100)
    _plot(axes, records, "val_accuracy", color=ORANGE, label="validation", factor=100)
    if best:
        epoch, percent = best["epoch"] + 1, 100 * best["val_accuracy"]
        label = f"best: {percent:.2f} % in epoch {epoch:.0f}"
        axes.plot([epoch], [percent], "*", color=ORANGE, mec=INK, markersize=12, label=label)
    style_axes(axes, title="Accuracy", x="epoch", y="accuracy (%)", legend_columns=3)


def _plot(
    axes: Axes, records: Sequence[Mapping[str, float]], field: str, factor: float = 1, **look: Any
) -> None:
    epochs = [record["epoch"] + 1 for record in records]
    values = [record[field] * factor for record in records]
    marker = mark_points(len(records))
    axes.plot(epochs, values, linewidth=1.8, marker=marker, markersize=3, **look)
