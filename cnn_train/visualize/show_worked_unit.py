"""Show one worked number of a layer: what it reads and by what that is multiplied, and in words.

Shape letters: C channels, H W pixels, or rows and columns of a patch.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..figures.number_grids import PADDING, Grid, Row, draw_number_grids
from ..figures.style import Drawing
from ..models.summary import LayerRun
from ..page import MINUS, Block, digits, grids_block, paragraph, times, whole_or_aligned
from .layers import as_maps
from .worked_unit import Term, WorkedUnit

MOST_PATCHES, MOST_INPUTS = 3, 8
"""Channels, or inputs that are one number, that are shown: those that add most."""

MOST_NUMBERS_SIDE = 11
"""A patch with a longer side is drawn in colours, without its numbers."""

FORMULAS = {
    "convolution": "Σ patch × filter, over all channels that it reads, + bias",
    "fully connected": "Σ x × w, over all inputs, + bias",
    "max pooling": "the largest number of the patch, which is marked by *",
    "average pooling": "the mean of the patch: Σ patch × 1/n",
    "batch norm": "γ · (x − mean) / √(variance + ε) + β",
}
NAMES = ("patch", "filter", "products")
SUMS = ("convolution", "fully connected", "average pooling")


def unit_blocks(unit: WorkedUnit, run: LayerRun) -> Iterator[Block]:
    """Yield the formula, the patches with their filters, and the sum and the window in words."""
    formula, *words = unit_words(unit, run)
    yield paragraph(formula)
    if max(unit.inside_HW.shape) <= MOST_NUMBERS_SIDE:
        for _, heading, row in _rows(unit):
            yield grids_block(heading, row)
    yield paragraph(*words)


def draw_unit(title: str, unit: WorkedUnit, run: LayerRun) -> Drawing:
    """Draw the same, and where on its map each patch lies."""
    input_CHW = as_maps(run.input, run.field)[0].cpu()
    top, left = unit.rows[0], unit.columns[0]
    frame = (top, left, unit.rows[-1] - top + 1, unit.columns[-1] - left + 1)
    rows: list[tuple[str, Row]] = []
    for channel, heading, row in _rows(unit):
        if channel is not None:
            row = [Grid(input_CHW[channel], "map", frame=frame), "", *row]
        rows.append((heading, row))
    return draw_number_grids(rows, title, unit_words(unit, run))


def _rows(unit: WorkedUnit) -> Iterator[tuple[int | None, str, Row]]:
    """Yield tables side by side, their heading, and the channel whose map they are cut from.

    Inputs that are one number each stand below each other, as one patch that is cut from no map.
    """
    shown, are_numbers = shown_terms(unit), _are_numbers(unit)
    headings = [f"channel {term.channel} of the input" for term in shown]
    read, weights, products = ("x", "w", "x × w") if are_numbers else NAMES
    if are_numbers:
        listed = ", ".join(str(term.channel) for term in shown)
        headings = [f"inputs {listed} of {len(unit.terms):,}"]
        column, weight_column = (torch.cat([vars(term)[name] for term in shown])
                                 for name in ("patch_HW", "filter_HW"))  # fmt: skip
        shown = [Term(0, column, weight_column, sum(term.total for term in shown))]
    for heading, term in zip(headings, shown, strict=True):
        row: list[Grid | str] = [_grid(unit, read, term.patch_HW, is_read=True)]
        if unit.kind in SUMS:
            heading += f": Σ = {_exact(term.total)}"
            row += ["×", _grid(unit, weights, term.filter_HW), "="]
            row += [_grid(unit, products, term.patch_HW * term.filter_HW, is_read=True)]
        else:
            row += ["→", _grid(unit, "output", torch.tensor([[unit.network]]))]
        yield None if are_numbers else term.channel, heading, row


def _are_numbers(unit: WorkedUnit) -> bool:
    return len(unit.terms) > 1 and unit.inside_HW.numel() == 1


def shown_terms(unit: WorkedUnit) -> list[Term]:
    """Return the terms that add most, in the order of their channels."""
    most = MOST_INPUTS if _are_numbers(unit) else MOST_PATCHES
    ranked = sorted(unit.terms, key=lambda term: -abs(term.total))
    return sorted(ranked[:most], key=lambda term: term.channel)


def _grid(unit: WorkedUnit, title: str, values_HW: Tensor, *, is_read: bool = False) -> Grid:
    """Make a table; of what is read, · marks the padding and * what max pooling takes."""
    if max(values_HW.shape) > MOST_NUMBERS_SIDE:
        return Grid(values_HW, title)
    texts = whole_or_aligned(values_HW.flatten().tolist())
    if is_read and values_HW.shape == unit.inside_HW.shape:
        for i, is_inside in enumerate(unit.inside_HW.flatten().tolist()):
            texts[i] = texts[i] if is_inside else PADDING + texts[i] * bool(values_HW.flatten()[i])
        if unit.winner:
            texts[unit.winner[0] * values_HW.shape[1] + unit.winner[1]] += "*"
    return Grid(values_HW, title, texts)


def unit_words(unit: WorkedUnit, run: LayerRun) -> list[str]:
    """Return the formula, what it adds up, what follows, and how the window lies on the map."""
    words = [f"{unit.kind}: {FORMULAS.get(unit.kind) or f'{type(run.module).__name__}(x)'}"]
    if unit.constants:
        words.append(", ".join(f"{name} = {_exact(x)}" for name, x in unit.constants.items()))
    others = len(unit.terms) - len(shown_terms(unit))
    if unit.kind in SUMS and (others or unit.bias):
        shown = sum(term.total for term in shown_terms(unit))
        rest = f" + {_exact(unit.total - unit.bias - shown)} (the other {others:,})" * bool(others)
        bias = f" + {_exact(unit.bias)} (bias)" * bool(unit.bias)
        words.append(f"{_exact(shown)} (shown){rest}{bias} = {_exact(unit.total)}")
    words.append(f"worked out: {_exact(unit.total)}; the network itself: {_exact(unit.network)}")
    words += [f"then {one.layer} ({one.kind}): {_exact(one.value)}" for one in unit.followed_by]
    return words + list(_window_words(unit, run))


def _window_words(unit: WorkedUnit, run: LayerRun) -> Iterator[str]:
    """Yield where the output's size comes from, what padding counts, and the depth of a filter."""
    window = unit.window
    for axis, name in enumerate(("height", "width") if window else ()):
        assert window
        side, found = unit.input_shape[axis + 1], unit.output_shape[axis + 1]
        reach = window.dilation[axis] * (window.size[axis] - 1) + 1
        padding, stride = window.padding[axis], window.stride[axis]
        exact = (side - reach + 2 * padding) / stride + 1
        rounded = "" if exact == found else f" → {found}"
        yield (
            f"{name}: (W − F + 2P)/S + 1 = ({side} − {reach} + 2·{padding})/{stride} + 1 = "
            f"{exact:g}{rounded}"
        )
    if beyond := int((~unit.inside_HW).sum()):
        is_zero = not unit.terms[0].patch_HW[~unit.inside_HW].any()
        counts = "count as 0" if is_zero else "repeat numbers of the map"
        if unit.kind == "max pooling":
            counts = "never win"
        elif not getattr(run.module, "count_include_pad", True):
            counts = "are not counted"
        cells = f"{beyond} of the {unit.inside_HW.numel()} cells ({PADDING})"
        yield f"padding: {cells} lie beyond the map; they {counts}"
    if unit.kind == "convolution":
        weights = times((*unit.inside_HW.shape, len(unit.terms)))
        yield (
            f"depth: a filter reads {len(unit.terms)} of {unit.input_shape[0]} channels: {weights} "
            f"weights; {unit.output_shape[0]} filters make {unit.output_shape[0]} channels"
        )


def _exact(value: float) -> str:
    return digits(value).replace("-", MINUS)
