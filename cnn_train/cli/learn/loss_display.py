"""How a worked loss looks: as tables in the terminal, and as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from ...lecture.worked_loss import SHIFTED, WorkedExample, WorkedLoss
from ...losses.cross_entropy import CrossEntropyConfig
from ...losses.hinge import HingeConfig
from .page import make_table, save_picture, show_heading, show_table, show_text

if TYPE_CHECKING:
    from ...figures.worked_loss import LossRow

MOST_SHOWN = 5
LARGEST_WRITTEN_OUT = 1e9
"""Larger numbers are shown as powers of ten."""

SMALLEST_WRITTEN_OUT = 5e-5
"""Smaller ones round to 0 in four decimals."""


def show_worked_loss(worked: WorkedLoss, loss_name: str) -> None:
    """Print the formula, the examples, their mean, and what the training loss says."""
    show_heading(f"{loss_name}: {worked.formula}")
    for i, example in enumerate(worked.examples[:MOST_SHOWN]):
        _show_example(worked, example, i + 1)
    losses = [example.loss for example in worked.examples]
    hidden = len(losses) - MOST_SHOWN
    if hidden > 0:
        show_text(f"\n… and {hidden} more; --json has them all")
    show_text()
    few = " + ".join(map(_number, losses)) if hidden <= 0 else "sum of the L_i"
    show_heading(f"L = ({few}) / {len(losses)} = {_number(worked.mean)}")
    show_text(f"the loss that trains networks says {_number(worked.training_loss)} of these scores")
    show_text(f"a trap: {worked.trap.call} says {_number(worked.trap.loss)}: {worked.trap.reason}")


def _show_example(worked: WorkedLoss, example: WorkedExample, number: int) -> None:
    """Print one example: a row per class, the right one in bold, and the sum of its terms."""
    label = worked.class_names[example.label]
    name = "" if example.name == label else f"{example.name}, "
    show_text()
    show_heading(f"L_{number}: {name}y = {label}")
    table = make_table("class j", numbers=("s_j", *example.columns, "term", "∂L_i/∂s_j"))
    for j, class_name in enumerate(worked.class_names):
        columns = [_number(column[j]) for column in example.columns.values()]
        numbers = (example.scores[j], example.terms[j], example.gradient[j])
        score, term, slope = map(_number, numbers)
        style = "bold" if j == example.label else ""
        table.add_row(escape(class_name), score, *columns, term, slope, style=style)
    show_table(table)
    terms = [_number(term) for term in example.terms if term] or ["0"]
    total = f" = {_number(example.loss)}" if len(terms) > 1 else ""
    show_text(f"L_{number} = {' + '.join(terms)}{total}")
    if example.on_margin:
        names = ", ".join(worked.class_names[j] for j in example.on_margin)
        show_text(
            f"{names}: exactly on the margin, where max(0, ·) has a kink: 0 is chosen as its slope."
        )
    if SHIFTED in example.columns:
        show_text(
            "exp(s_j) of these scores is no float: the largest score is subtracted from all of "
            "them first, which divides numerator and denominator of p_j by the same exp(max s)."
        )


def _number(number: float | None) -> str:
    if number is None:
        return "—"
    if abs(number) < SMALLEST_WRITTEN_OUT:
        number = 0.0  # without a sign
    return f"{number:.4f}" if abs(number) < LARGEST_WRITTEN_OUT else f"{number:.4e}"


def save_worked_loss(
    worked: WorkedLoss, settings: HingeConfig | CrossEntropyConfig, out: Path
) -> None:
    """Draw the first examples."""
    from ...figures.worked_loss import draw_worked_loss

    shown = worked.examples[:MOST_SHOWN]
    if isinstance(settings, HingeConfig):
        columns = (
            f"score s_j (dashed: s_y - {settings.margin:g})",
            f"term max(0, s_j - s_y + {settings.margin:g}){'²' * settings.squared}",
        )
    else:
        columns = ("score s_j", "p_j (mark: where it ought to be)")
    rows = [_draw_row(worked, settings, i, one) for i, one in enumerate(shown, 1)]
    few = f" (the first {len(shown)} are drawn)" if len(shown) < len(worked.examples) else ""
    number = len(worked.examples)
    title = f"{settings.name}: L = {_number(worked.mean)}, the mean of {number:,}{few}"
    figure = draw_worked_loss(rows, worked.class_names, (*columns, "∂L_i/∂s_j"), title)
    save_picture(figure, out)


def _draw_row(
    worked: WorkedLoss,
    settings: HingeConfig | CrossEntropyConfig,
    number: int,
    example: WorkedExample,
) -> "LossRow":
    from ...figures.worked_loss import LossRow

    label = worked.class_names[example.label]
    title = f"L_{number} = {_number(example.loss)}, y = {label}"
    if isinstance(settings, HingeConfig):
        limit = example.scores[example.label] - settings.margin
        return LossRow(
            title, example.label, example.scores, example.terms, example.gradient, limit=limit
        )
    p = tuple(one or 0.0 for one in example.columns["p_j"])
    targets = tuple(one - slope for one, slope in zip(p, example.gradient, strict=True))
    return LossRow(title, example.label, example.scores, p, example.gradient, targets=targets)
