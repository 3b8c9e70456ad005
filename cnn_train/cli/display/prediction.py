"""What predictions look like on the screen: a block per image, and the image where colours allow.

Shape letters: C channels, H W pixels.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...errors import in_one_line
from ...page import percent
from ..console import stdout, visible
from .evaluation import render_bar

if TYPE_CHECKING:
    from torch import Tensor

    from ...inference.predict import ClassScore, Prediction

BAR_WIDTH = 16
PICTURE_WIDTH = 32
"""Columns; larger images are thinned out to it."""
NARROWEST_WITH_PICTURE = 76
UPPER_HALF_BLOCK = "▀"


def show_predictions(predictions: "Sequence[Prediction]") -> None:
    """Print a block per image: its path, the answer, the best classes."""
    for prediction in predictions:
        _show(prediction)
    if predictions and predictions[0].top[0].probability is None:
        text = "The numbers are scores, not probabilities: the model was trained with a hinge loss."
        stdout.print(Text(text, style="dim"))


def _show(prediction: "Prediction") -> None:
    stdout.print(Text(visible(in_one_line(prediction.path)), style="bold"), soft_wrap=True)
    for notice in prediction.notices:
        stdout.print(Text(f"  {notice}", style="dim"), soft_wrap=True)
    answer: RenderableType = Group(
        Text(describe(prediction), style="bold cyan"), "", _render_top(prediction.top)
    )
    if can_show_pictures():
        table = Table.grid(padding=(0, 3))
        table.add_row(render_picture(prediction.image_CHW), answer)
        answer = table
    stdout.print(Padding(answer, (0, 0, 0, 2), expand=False))
    stdout.print()


def describe(prediction: "Prediction") -> str:
    """Return the answer in words: ``cat 87.3 %``, or ``cat, 1.20 ahead of dog`` for scores."""
    best = prediction.top[0]
    if best.probability is not None:
        return f"{best.label} {percent(best.probability)}"
    rival = f" {prediction.top[1].label}" if len(prediction.top) > 1 else " the runner-up"
    return f"{best.label}, {prediction.margin:.2f} ahead of{rival}"


def _render_top(top: "Sequence[ClassScore]") -> Table:
    """Draw bars from 0 to the probability, or to the score as a part of the best one."""
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    table.add_column()
    for one in top:
        if one.probability is not None:
            number, share = percent(one.probability), one.probability
        else:
            number = f"{one.score:.2f}"
            share = one.score / top[0].score if top[0].score > 0 else 0.0
        table.add_row(Text(one.label), number, render_bar(share, BAR_WIDTH))
    return table


def can_show_pictures() -> bool:
    """Whether stdout is a wide terminal with enough colours and characters for a picture."""
    return (
        stdout.is_terminal
        and not stdout.no_color
        and stdout.color_system in ("256", "truecolor")
        and not stdout.options.ascii_only
        and stdout.width >= NARROWEST_WITH_PICTURE
    )


def render_picture(image_CHW: "Tensor") -> Text:
    """Render a uint8 RGB image with two pixels per character: above in the ink, below behind it."""
    step = -(-image_CHW.shape[2] // PICTURE_WIDTH)
    rows = image_CHW[:, ::step, ::step].permute(1, 2, 0).tolist()
    picture = Text(no_wrap=True)
    for upper, lower in zip(rows[::2], [*rows[1::2], rows[-1]], strict=False):
        for above, below in zip(upper, lower, strict=True):
            style = f"rgb({','.join(map(str, above))}) on rgb({','.join(map(str, below))})"
            picture.append(UPPER_HALF_BLOCK, style)
        picture.append("\n")
    picture.rstrip()
    return picture
