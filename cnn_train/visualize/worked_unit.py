"""One output number of a layer, worked out: patch × filter + bias = number.

    convolution       Σ over channels, rows and columns of patch · filter, + bias
    fully connected   the same with patches of one number: Σ x_i · w_i, + bias
    max pooling       the largest number of the patch; its "filter" is 1 there and 0 elsewhere
    average pooling   the "filter" is 1/n everywhere
    batch norm        x · γ/√(variance + ε) + (β − mean · γ/√(variance + ε))
    activation        a function of one number: no filter makes it

The sums are computed here from scratch, in float64. The number that the network itself computed
stands beside them.

Shape letters: B minibatch, C channels, H W pixels, or the rows and columns of a patch.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from ..errors import UsageError
from ..models.summary import LayerRun, trace_images
from .layer_sums import (
    Pair,
    Place,
    Window,
    kind_of,
    norm_constants,
    sliding_window,
    take_patch,
    weights_of,
)
from .layers import as_maps, find_run, followers


@dataclass(frozen=True)
class Term:
    """What one input channel adds: ``total`` = Σ patch · filter, both HW, float64, on the CPU."""

    channel: int
    patch_HW: Tensor
    filter_HW: Tensor
    total: float


@dataclass(frozen=True)
class Following:
    """A layer that alone reads the number, and what it makes of it: a norm or an activation."""

    layer: str
    kind: str
    value: float


@dataclass(frozen=True)
class WorkedUnit:
    """One number of ``layer``, at ``channel``, ``row`` and ``column`` of its output.

    kind: convolution, fully connected, max pooling, average pooling, batch norm or activation.
    input_shape, output_shape: (C, H, W); a flat vector of D numbers is D channels of 1 × 1.
    rows, columns: of the input, where the cells of the patch lie; beyond the map is padding.
    inside_HW: bool, False for the cells of the patch that are padding.
    terms: one per input channel that is read. total: their sum + bias; of an activation, the
    function of its one number. network: the value that the network itself computed, in float32.
    winner: row and column in the patch of the number that max pooling takes.
    constants: of a batch norm, by name.
    """

    layer: str
    kind: str
    channel: int
    row: int
    column: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    inside_HW: Tensor
    terms: tuple[Term, ...]
    bias: float
    total: float
    network: float
    followed_by: tuple[Following, ...]
    window: Window | None
    winner: Pair | None
    constants: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain lists and numbers."""
        document = asdict(self)
        document["inside"] = document.pop("inside_HW").tolist()
        for term in document["terms"]:
            term["patch"] = term.pop("patch_HW").tolist()
            term["filter"] = term.pop("filter_HW").tolist()
        return document


def work_out(
    model: nn.Module, layer: str, inputs_1CHW: Tensor, channel: int, row: int = 0, column: int = 0
) -> WorkedUnit:
    """Work out one number of ``layer``, one of those that `models show` lists, for one image.

    inputs_1CHW: normalised, on the model's device. Raises UsageError for a layer that the network
    has not, uses several times or that is not worked out here, and for a place beyond its output.
    """
    runs = trace_images(model, inputs_1CHW)
    return work_out_run(runs, find_run(runs, layer), channel, row, column)


def work_out_run(
    runs: Sequence[LayerRun], run: LayerRun, channel: int, row: int = 0, column: int = 0
) -> WorkedUnit:
    """Work out one number of a pass that was made already; errors as in :func:`work_out`."""
    module, name, kind = run.module, run.name, kind_of(run.module)
    if kind is None:
        raise UsageError(
            f"{name}: is a {type(module).__name__}, which is not worked out; choose a convolution, "
            "a fully connected layer, a pooling, a batch norm or an activation"
        )
    input_CHW, output_CHW = (
        as_maps(values, run.field)[0].detach().cpu() for values in (run.input, run.output)
    )
    place = (channel, row, column)
    _require_inside(name, place, output_CHW.shape)
    patch = take_patch(module, input_CHW, output_CHW.shape, place)
    filter_CHW, bias = weights_of(module, channel, patch)
    totals_C = (patch.values_CHW * filter_CHW).sum(dim=(1, 2))
    is_function = kind == "activation"
    total = float(module(patch.values_CHW)) if is_function else float(totals_C.sum()) + bias
    parts = zip(patch.channels, patch.values_CHW, filter_CHW, totals_C.tolist(), strict=True)
    return WorkedUnit(
        layer=name,
        kind=kind,
        channel=channel,
        row=row,
        column=column,
        input_shape=tuple(input_CHW.shape),
        output_shape=tuple(output_CHW.shape),
        rows=patch.rows,
        columns=patch.columns,
        inside_HW=patch.inside_HW,
        terms=tuple(Term(*part) for part in parts),
        bias=bias,
        total=total,
        network=float(output_CHW[place]),
        followed_by=tuple(
            Following(reader.name, type(reader.module).__name__, _value_at(reader, place))
            for reader in followers(runs, run)
        ),
        window=sliding_window(module),
        winner=_place_of_one(filter_CHW) if kind == "max pooling" else None,
        constants=norm_constants(module, channel),
    )


def strongest_place(run: LayerRun, channel: int | None = None) -> Place:
    """Return the place of a layer's largest number, in one channel or in all."""
    output_CHW = as_maps(run.output, run.field)[0].detach().cpu()
    if channel is None:
        channel = int(output_CHW.flatten(1).amax(dim=1).argmax())
    _require_inside(run.name, (channel,), output_CHW.shape[:1])
    row, column = divmod(int(output_CHW[channel].argmax()), output_CHW.shape[2])
    return channel, row, column


def _require_inside(name: str, place: Sequence[int], shape: Sequence[int]) -> None:
    """Refuse a channel, row or column that the output has not."""
    for what, number, size in zip(("channel", "row", "column"), place, shape, strict=False):
        if not 0 <= number < size:
            raise UsageError(f"{name}: has no {what} {number}; choose from 0 to {size - 1}")


def _value_at(run: LayerRun, place: Place) -> float:
    return float(as_maps(run.output, run.field)[(0, *place)])


def _place_of_one(filter_CHW: Tensor) -> Pair:
    """Return the row and column of the only 1 of a max pooling's filter."""
    row, column = filter_CHW[0].nonzero()[0].tolist()
    return row, column
