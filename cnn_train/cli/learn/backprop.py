"""``cnn-train learn backprop``: forward and back through a tiny network, number by number."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ...page import MINUS, Block, Column, Page, whole_or_aligned
from ..options import JsonOption
from ..present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from torch import Tensor

    from ...figures.number_grids import Grid
    from ...figures.style import Drawing
    from ...lecture.backprop import Backprop

TITLE = "Backpropagation through convolution, ReLU and a fully connected layer"


def backprop(
    label: Annotated[int, typer.Option("--label", help="The right class: 0, 1 or 2.")] = 2,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Draws other numbers, to practise on.")
    ] = None,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Go forward and back through conv → ReLU → fully connected, on numbers to check by hand."""
    from ...lecture.backprop import make_network, work_through

    check_picture(out)
    worked = work_through(make_network(seed), label)
    steps = _steps(worked)
    blocks = [Block(TITLE)]
    for heading, parts in steps:
        blocks += [Block(heading), _sum_block(parts)]
    numbers = vars(worked.network) | {k: v for k, v in vars(worked).items() if k != "network"}
    document = {k: v if isinstance(v, int) else v.tolist() for k, v in numbers.items()}
    page = Page(tuple(blocks), document, draw=lambda: _draw(steps))
    present(page, as_json=as_json, out=out)


Part: TypeAlias = "tuple[str, Tensor] | str"
"""A table with its name, or a sign between two tables."""


def _steps(worked: "Backprop") -> "list[tuple[str, list[Part]]]":
    """Return each step's rule, and the sum that it is."""
    network = worked.network
    x, z, a = ("x", network.image_HW), ("z", worked.z_HW), ("a", worked.a_HW)
    filters, weights = ("F", network.filter_HW), ("W", network.weights_KD)
    scores, back = ("s", _column(worked.scores_K)), ("∂L/∂s", _column(worked.d_scores_K))
    d_a, d_z = ("∂L/∂a", worked.d_a_HW), ("∂L/∂z", worked.d_z_HW)
    bias, biases = ("b", _row(network.bias)), ("c", _column(network.biases_K))
    a_column, a_row = ("a", _column(worked.a_HW)), ("a", _row(worked.a_HW))
    hinge = f"L = Σ max(0, s_j − s_{worked.label} + 1) = {worked.loss.item():g}"
    return [
        ("F-pass: z = Σ patch × F + b, and a = max(0, z)",
         [x, "conv", filters, "+", bias, "=", z, "ReLU →", a]),
        (f"F-pass: s = W·a + c, with a read row by row; hinge loss, {hinge}",
         [weights, "·", a_column, "+", biases, "=", scores, "", ("L", _row(worked.loss))]),
        (f"B-pass: ∂L/∂s is 1 for each class that costs, minus their number for class "
         f"{worked.label}; ∂L/∂c is the same; ∂L/∂W = ∂L/∂s × a, each with each",
         [back, "×", a_row, "=", ("∂L/∂W", worked.d_weights_KD)]),
        ("B-pass: ∂L/∂a = Wᵀ·∂L/∂s; ∂L/∂z is the same where z > 0, and 0 elsewhere",
         [("Wᵀ", network.weights_KD.T), "·", back, "=", d_a, "z > 0 →", d_z]),
        ("B-pass: ∂L/∂F = Σ ∂L/∂z × the patch that this z read; ∂L/∂b = Σ ∂L/∂z",
         [d_z, "× patch of", x, "=", ("∂L/∂F", worked.d_filter_HW), "",
          ("∂L/∂b", _row(worked.d_bias))]),
        ("B-pass: ∂L/∂x, as each z gives ∂L/∂z × F back to its patch, where these add up",
         [d_z, "× F to patch", filters, "=", ("∂L/∂x", worked.d_image_HW)]),
    ]  # fmt: skip


def _row(values: "Tensor") -> "Tensor":
    return values.reshape(1, -1)


def _column(values: "Tensor") -> "Tensor":
    return values.reshape(-1, 1)


def _sum_block(parts: "Sequence[Part]") -> Block:
    """Lay the tables and the signs side by side."""
    height = max(len(part[1]) for part in parts if not isinstance(part, str))
    columns, names = [], []
    for part in parts:
        if isinstance(part, str):
            names.append("")
            lines = [""] * ((height - 1) // 2) + [part]
        else:
            names.append(part[0])
            lines = _lines(part[1])
        columns.append([*lines, *[""] * (height - len(lines))])
    return Block(
        columns=tuple(Column(name, is_number=False, is_chart=True) for name in names),
        rows=tuple(zip(*columns, strict=True)),
    )


def _lines(values_HW: "Tensor") -> list[str]:
    """Write a table of whole numbers, row by row."""
    rows = [
        [f"{value + 0.0:.0f}".replace("-", MINUS) for value in row] for row in values_HW.tolist()
    ]
    wide = max(len(cell) for row in rows for cell in row)
    return [" ".join(cell.rjust(wide) for cell in row) for row in rows]


def _draw(steps: "list[tuple[str, list[Part]]]") -> "Drawing":
    from ...figures.number_grids import draw_number_grids

    rows = [
        [part if isinstance(part, str) else _grid(*part) for part in parts] for _, parts in steps
    ]
    return draw_number_grids(rows, TITLE, headings=[heading for heading, _ in steps])


def _grid(name: str, values_HW: "Tensor") -> "Grid":
    from ...figures.number_grids import Grid

    return Grid(values_HW, name, whole_or_aligned(values_HW.flatten().tolist()))
