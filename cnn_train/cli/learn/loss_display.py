"""How a worked loss looks: as tables in the terminal, and as a picture."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ...lecture.worked_loss import SHIFTED, WorkedExample, WorkedLoss
from ...losses.cross_entropy import CrossEntropyConfig
from ...losses.hinge import HingeConfig
from ...page import Block, numbers, paragraph, texts

if TYPE_CHECKING:
    from ...data.image_set import Pixels
    from ...figures.style import Drawing
    from ...figures.worked_loss import LossRow

MOST_SHOWN = 5
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
LARGEST_WRITTEN_OUT = 1e9
"""Larger numbers are shown as powers of ten."""

SMALLEST_WRITTEN_OUT = 5e-5
"""Smaller ones round to 0 in four decimals."""


def loss_blocks(worked: WorkedLoss, loss_name: str) -> tuple[Block, ...]:
    """Show the formula, the examples, their mean, and what the training loss says."""
    losses = [example.loss for example in worked.examples]
    num_hidden = len(losses) - MOST_SHOWN
    hidden = f"… and {num_hidden} more; --json has them all"
    terms = " + ".join(map(_number, losses)) if num_hidden <= 0 else "sum of the L_i"
    trap = worked.trap
    shown = enumerate(worked.examples[:MOST_SHOWN], 1)
    return (
        Block(f"{loss_name}: {worked.formula}"),
        *(block for i, example in shown for block in _example_blocks(worked, example, i)),
        *([paragraph(hidden)] if num_hidden > 0 else []),
        Block(
            f"L = ({terms}) / {len(losses)} = {_number(worked.mean)}",
            lines=(
                f"the loss that trains networks says {_number(worked.training_loss)} of these "
                "scores",
                f"a trap: {trap.call} says {_number(trap.loss)}: {trap.reason}",
            ),
        ),
    )


def _example_blocks(worked: WorkedLoss, example: WorkedExample, number: int) -> tuple[Block, Block]:
    """Show one example: a row per class, the right one in bold; then the sum of its terms."""
    label = worked.class_names[example.label]
    name = "" if example.name == label else f"{example.name}, "
    columns = (example.scores, *example.columns.values(), example.terms, example.gradient)
    table = Block(
        f"L_{number}: {name}y = {label}",
        columns=(*texts("class j"), *numbers("s_j", *example.columns, "term", "∂L_i/∂s_j")),
        rows=tuple(
            (class_name, *(_number(column[j]) for column in columns))
            for j, class_name in enumerate(worked.class_names)
        ),
        row_styles={example.label: "bold"},
    )
    return table, paragraph(*_sum_lines(worked, example, number))


def _sum_lines(worked: WorkedLoss, example: WorkedExample, number: int) -> tuple[str, ...]:
    terms = [_number(term) for term in example.terms if term] or ["0"]
    total = f" = {_number(example.loss)}" if len(terms) > 1 else ""
    lines = [f"L_{number} = {' + '.join(terms)}{total}"]
    if example.on_margin:
        names = ", ".join(worked.class_names[j] for j in example.on_margin)
        lines.append(
            f"{names}: exactly on the margin, where max(0, ·) has a kink: 0 is chosen as its slope."
        )
    if SHIFTED in example.columns:
        lines.append(
            "exp(s_j) of these scores is no float: the largest score is subtracted from all of "
            "them first, which divides numerator and denominator of p_j by the same exp(max s)."
        )
    return tuple(lines)


def _number(number: float | None) -> str:
    if number is None:
        return "—"
    if abs(number) < SMALLEST_WRITTEN_OUT:
        number = 0.0  # without a sign
    return f"{number:.4f}" if abs(number) < LARGEST_WRITTEN_OUT else f"{number:.4e}"


def draw_loss(
    worked: WorkedLoss,
    settings: HingeConfig | CrossEntropyConfig,
    images_NCHW: "Pixels | None" = None,
) -> "Drawing":
    """Draw the first examples, with their images where there are any."""
    from ...figures.worked_loss import draw_worked_loss

    shown = worked.examples[:MOST_SHOWN]
    if isinstance(settings, HingeConfig):
        columns = (
            f"score (dashed: the right class's − {settings.margin:g})",
            f"cost: how far beyond the dashed line{', squared' * settings.squared}",
        )
    else:
        columns = ("score", "probability (mark: where it ought to be)")
    rows = [_draw_row(worked, settings, i, example) for i, example in enumerate(shown, 1)]
    if images_NCHW is not None:
        rows = [replace(row, image_CHW=images_NCHW[i]) for i, row in enumerate(rows)]
    few = f" (the first {len(shown)} are drawn)" if len(shown) < len(worked.examples) else ""
    number = len(worked.examples)
    name = settings.name.replace("_", "-")
    title = f"{name} loss: {_number(worked.mean)}, the mean of {number:,}{few}"
    return draw_worked_loss(rows, worked.class_names, (*columns, "∂ loss / ∂ score"), title)


def _draw_row(
    worked: WorkedLoss,
    settings: HingeConfig | CrossEntropyConfig,
    number: int,
    example: WorkedExample,
) -> "LossRow":
    from ...figures.worked_loss import LossRow

    label = worked.class_names[example.label]
    title = f"L{number}".translate(SUBSCRIPTS) + f" = {_number(example.loss)}, right: {label}"
    if isinstance(settings, HingeConfig):
        limit = example.scores[example.label] - settings.margin
        return LossRow(
            title, example.label, example.scores, example.terms, example.gradient, limit=limit
        )
    p = tuple(share or 0.0 for share in example.columns["p_j"])
    targets = tuple(share - slope for share, slope in zip(p, example.gradient, strict=True))
    return LossRow(title, example.label, example.scores, p, example.gradient, targets=targets)
