"""Show one worked number of a layer: its tables, and its picture.

Shape letters: C channels, H W pixels, or rows and columns of a patch.
"""

from collections.abc import Iterator
from typing import Any

import torch

from ..figures.number_grids import Grid, Row, draw_number_grids
from ..figures.style import Drawing
from ..models.summary import LayerRun
from ..page import (
    MINUS,
    Block,
    Column,
    digits,
    list_facts,
    numbers,
    paragraph,
    signed,
    texts,
    times,
    whole_or_aligned,
)
from .layers import as_maps
from .worked_unit import Term, WorkedUnit

MOST_PATCHES, MOST_TERMS = 3, 8
"""Channels whose patches are shown, and whose sums are listed: those that add most."""

MOST_NUMBERS_SIDE = 11
"""A patch with a longer side is drawn in colours, without its numbers."""

ADDS = ("convolution", "fully connected", "average pooling")
"""Kinds that are a sum of products."""


def _formula(unit: WorkedUnit, run: LayerRun) -> str:
    return {
        "convolution": "Σ patch × filter, over all channels that it reads, + bias",
        "fully connected": "Σ x × w, over all inputs, + bias",
        "max pooling": "the largest number of the patch, which is marked",
        "average pooling": "the mean of the patch: Σ patch × 1/n",
        "batch norm": "γ · (x − mean) / √(variance + ε) + β",
        "activation": f"{type(run.module).__name__}(x)",
    }[unit.kind]


def unit_blocks(unit: WorkedUnit, run: LayerRun) -> Iterator[Block]:
    """Yield the formula, the patches, the sum, what follows, and how the window lies on the map."""
    yield paragraph(f"{unit.kind}: {_formula(unit, run)}")
    if 1 < max(unit.terms[0].patch_HW.shape) <= MOST_NUMBERS_SIDE:
        yield from (_patch_block(unit, term) for term in _largest(unit, MOST_PATCHES))
    if unit.kind in ADDS:
        yield _sum_block(unit)
    elif unit.kind != "max pooling":
        facts = {"x": float(unit.terms[0].patch_HW)} | dict(unit.constants)
        yield list_facts((name, _exact(value)) for name, value in facts.items())
    yield paragraph(
        f"worked out: {_exact(unit.total)}; the network itself: {_exact(unit.network)}",
        *(f"then {one.layer} ({one.kind}): {_exact(one.value)}" for one in unit.followed_by),
    )
    if unit.window:
        yield _window_block(unit, run)


def _largest(unit: WorkedUnit, most: int) -> list[Term]:
    """Return the terms that add most, in the order of their channels."""
    chosen = sorted(unit.terms, key=lambda term: -abs(term.total))[:most]
    return sorted(chosen, key=lambda term: term.channel)


def _patch_block(unit: WorkedUnit, term: Term) -> Block:
    """Lay the patch, the filter and their products beside each other, row by row."""
    width, sums = term.patch_HW.shape[1], unit.kind in ADDS
    tables: list[list[str]] = []
    for values_HW in (term.patch_HW, term.filter_HW, term.patch_HW * term.filter_HW):
        cells = _texts(values_HW)
        if not tables:  # in the patch
            inside = unit.inside_HW.flatten().tolist()
            cells = [cell if known else "·" for cell, known in zip(cells, inside, strict=True)]
            if unit.winner:
                cells[unit.winner[0] * width + unit.winner[1]] += "*"
        widest = max(map(len, cells))
        lines = [cells[i : i + width] for i in range(0, len(cells), width)]
        tables.append(["  ".join(cell.rjust(widest) for cell in line) for line in lines])
    names = ("patch", "× filter", "= products")[: 3 if sums else 1]
    return Block(
        f"channel {term.channel} of the input" + (f": Σ = {_exact(term.total)}" if sums else ""),
        columns=tuple(Column(name, is_number=False, is_chart=True) for name in names),
        rows=tuple(zip(*tables[: len(names)], strict=True)),
        first_to_go=("= products", "× filter"),
    )


def _sum_block(unit: WorkedUnit) -> Block:
    """List what each input adds, the largest first, the rest in one row, and the bias."""
    ranked = sorted(unit.terms, key=lambda term: -abs(term.total))
    single = ranked[0].patch_HW.numel() == 1
    rows = []
    for term in ranked[:MOST_TERMS]:
        factors = [term.patch_HW.flatten()[0], term.filter_HW.flatten()[0]] if single else []
        rows.append((str(term.channel), *(signed(float(x)) for x in factors), _exact(term.total)))
    empty = ("", "") if single else ()
    if rest := ranked[MOST_TERMS:]:
        others = sum(term.total for term in rest)
        rows.append((f"the other {len(rest):,}", *empty, _exact(others)))
    if unit.bias:
        rows.append(("bias", *empty, _exact(unit.bias)))
    rows.append(("total", *empty, _exact(unit.total)))
    columns = numbers(*(("x", "w", "x × w") if single else ("Σ patch × filter",)))
    return Block(
        columns=(*texts("input channel"), *columns),
        rows=tuple(rows),
        row_styles={len(rows) - 1: "bold"},
    )


def _exact(value: float) -> str:
    return digits(value).replace("-", MINUS)


def _window_block(unit: WorkedUnit, run: LayerRun) -> Block:
    """Show where the output's size comes from, and what padding and depth do."""
    assert unit.window
    window = unit.window
    rows = []
    for axis, name in enumerate(("height", "width")):
        size, stride, padding, dilation = (
            pair[axis] for pair in (window.size, window.stride, window.padding, window.dilation)
        )
        side, reach, out = unit.input_shape[axis + 1], dilation * (size - 1) + 1, unit.output_shape
        exact = (side - reach + 2 * padding) / stride + 1
        found = out[axis + 1]
        rounded = "" if exact == found else f" → {found}"
        formula = f"({side} − {reach} + {2 * padding})/{stride} + 1 = {exact:g}{rounded}"
        rows.append((name, *map(str, (side, reach, padding, stride)), formula))
    number = int((~unit.inside_HW).sum())
    notes = []
    if number:
        is_zero = not unit.terms[0].patch_HW[~unit.inside_HW].any()
        counts = "count as 0" if is_zero else "repeat numbers of the map"
        counts = "never win" if unit.kind == "max pooling" else counts
        cells = f"{number} of the {unit.inside_HW.numel()} cells (·)"
        notes.append(f"padding: {cells} lie beyond the map; they {counts}")
    if unit.kind == "convolution":
        weights = times((*unit.terms[0].patch_HW.shape, len(unit.terms)))
        notes.append(
            f"depth: a filter reads {len(unit.terms)} of {unit.input_shape[0]} channels: {weights} "
            f"weights; {unit.output_shape[0]} filters make {unit.output_shape[0]} channels"
        )
    return Block(
        columns=(*texts("side"), *numbers("W", "F", "P", "S", "(W − F + 2P)/S + 1")),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def draw_unit(title: str, unit: WorkedUnit, run: LayerRun) -> Drawing:
    """Draw what is read, what it is multiplied by, and what comes of it."""
    is_vector = len(unit.terms) > 1 and unit.terms[0].patch_HW.numel() == 1
    rows = _vector_rows(unit) if is_vector else _patch_rows(unit, run)
    shown = _largest(unit, MOST_TERMS if is_vector else MOST_PATCHES)
    those = sum(term.total for term in shown)
    parts = [f"{signed(those)} (shown)"]
    if others := len(unit.terms) - len(shown):
        parts.append(f"{signed(unit.total - unit.bias - those)} (the other {others:,})")
    if unit.bias:
        parts.append(f"{signed(unit.bias)} (bias)")
    notes = [f"{' + '.join(parts)} = {_exact(unit.total)}"] if unit.kind in ADDS else []
    notes += [f"then {one.layer} ({one.kind}): {_exact(one.value)}" for one in unit.followed_by]
    return draw_number_grids(rows, title, [_formula(unit, run), *notes])


def _vector_rows(unit: WorkedUnit) -> list[Row]:
    """Lay the inputs that add most over their weights and products."""
    shown = _largest(unit, MOST_TERMS)
    x = torch.cat([term.patch_HW for term in shown], dim=1)
    w = torch.cat([term.filter_HW for term in shown], dim=1)
    names = ", ".join(str(term.channel) for term in shown)
    return [
        [_grid(x, f"x: of {len(unit.terms):,} inputs, those that add most: {names}")],
        [_grid(w, "× w")],
        [_grid(x * w, "= products")],
    ]


def _patch_rows(unit: WorkedUnit, run: LayerRun) -> list[Row]:
    """Lay the patch of a channel beside its place on the map, the filter and the products."""
    input_CHW = as_maps(run.input, run.field)[0].cpu()
    grey = frozenset((row, column) for row, column in (~unit.inside_HW).nonzero().tolist())
    marked = frozenset([unit.winner] if unit.winner else [])
    rows: list[Row] = []
    for term in _largest(unit, MOST_PATCHES):
        patch_HW, filter_HW = term.patch_HW, term.filter_HW
        name, is_map = f"channel {term.channel}", max(patch_HW.shape) > MOST_NUMBERS_SIDE
        row: list[Grid | str] = [
            Grid(input_CHW[term.channel], name, frame=_frame(unit), is_map=True),
            "",
            _grid(patch_HW, "patch", grey=grey, marked=marked, is_map=is_map),
        ]
        if unit.kind in ADDS:
            title, products_HW = f"products: Σ = {signed(term.total)}", patch_HW * filter_HW
            products = _grid(products_HW, title, grey=grey, is_map=is_map)
            row += ["×", _grid(filter_HW, "filter", is_map=is_map), "=", products]
        else:
            row += ["→", _grid(torch.tensor([[unit.network]]), "output")]
        rows.append(row)
    return rows


def _grid(values_HW: torch.Tensor, title: str, **marks: Any) -> Grid:
    """Make a table with its numbers."""
    return Grid(values_HW, title, _texts(values_HW), **marks)


def _texts(values_HW: torch.Tensor) -> list[str]:
    return whole_or_aligned(values_HW.flatten().tolist())


def _frame(unit: WorkedUnit) -> tuple[float, float, float, float]:
    """Return top, left, height and width of the patch on the input's map."""
    (top, bottom), (left, right) = ((side[0], side[-1]) for side in (unit.rows, unit.columns))
    return top, left, bottom - top + 1, right - left + 1
