"""``cnn-train learn backprop``: forward and back through a tiny network, number by number."""

from typing import TYPE_CHECKING, Annotated

import typer

from ...page import Block, Page, grids_block, whole_or_aligned
from ..options import JsonOption
from ..present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from torch import Tensor

    from ...figures.number_grids import Row

TITLE = "Backpropagation through convolution, ReLU and a fully connected layer"

STEPS = (
    ("F-pass: z = Σ patch × F + b, and a = max(0, z)",
     ("x", "conv", "F", "+", "b", "=", "z", "ReLU →", "a")),
    ("F-pass: s = W·a + c, with a read row by row; hinge loss, L = Σ max(0, s_j − s_{label} + 1) "
     "= {loss}", ("W", "·", "a, a column", "+", "c", "=", "s", "", "L")),
    ("B-pass: ∂L/∂s is 1 for each class that costs, minus their number for class {label}; ∂L/∂c is "
     "the same; ∂L/∂W = ∂L/∂s × a, each with each",
     ("∂L/∂s", "×", "a, a row", "=", "∂L/∂W")),
    ("B-pass: ∂L/∂a = Wᵀ·∂L/∂s; ∂L/∂z is the same where z > 0, and 0 elsewhere",
     ("Wᵀ", "·", "∂L/∂s", "=", "∂L/∂a", "z > 0 →", "∂L/∂z")),
    ("B-pass: ∂L/∂F = Σ ∂L/∂z × the patch that this z read; ∂L/∂b = Σ ∂L/∂z",
     ("∂L/∂z", "× patch of", "x", "=", "∂L/∂F", "", "∂L/∂b")),
    ("B-pass: ∂L/∂x, as each z gives ∂L/∂z × F back to its patch, where these add up",
     ("∂L/∂z", "× F to patch", "F", "=", "∂L/∂x")),
)  # fmt: skip
"""Each step's rule, and the sum that it is: names of tables, and signs between them."""


def backprop(
    label: Annotated[int, typer.Option("--label", help="The right class: 0, 1 or 2.")] = 2,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Draws other numbers, to practise on.")
    ] = None,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Go forward and back through conv → ReLU → fully connected, on numbers to check by hand."""
    from ...figures.number_grids import draw_number_grids
    from ...lecture.backprop import make_network, work_through

    check_picture(out)
    numbers = work_through(make_network(seed), label)
    document = {"label": label, **{name: table.tolist() for name, table in numbers.items()}}
    rows = _rows(numbers, label)
    blocks = (Block(TITLE), *(grids_block(heading, row) for heading, row in rows))
    present(
        Page(blocks, document, draw=lambda: draw_number_grids(rows, TITLE)),
        as_json=as_json,
        out=out,
    )


def _rows(numbers: "dict[str, Tensor]", label: int) -> "list[tuple[str, Row]]":
    """Fill the numbers into the steps."""
    from ...figures.number_grids import Grid

    a = numbers["a"]
    tables = numbers | {
        "a, a column": a.reshape(-1, 1), "a, a row": a.reshape(1, -1), "Wᵀ": numbers["W"].T,
    }  # fmt: skip
    grids = {
        name: Grid(table, name.partition(",")[0], whole_or_aligned(table.flatten().tolist()))
        for name, table in tables.items()
    }
    loss = f"{numbers['L'].item():g}"
    return [
        (heading.format(label=label, loss=loss), [grids.get(name, name) for name in row])
        for heading, row in STEPS
    ]
