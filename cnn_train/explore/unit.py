"""One number of a layer, worked out for a page, and where what it was made of can be seen.

Shape letters: C channels, H W pixels, or rows and columns of a patch.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..errors import UsageError
from ..models.summary import LayerRun
from ..visualize.layers import as_maps
from ..visualize.top_patches import window_of
from ..visualize.worked_unit import WorkedUnit, work_out_run
from .checkpoints import Opened
from .layers import IMAGE, Layer, find_source, is_block, trace_shown
from .question import Question, rounded

MOST_TERMS = 12
PLACE_BY_PLACE = ("activation", "batch norm")
COLOURS = ("red", "green", "blue")

FORMULAS = {
    "convolution": "sum of patch × filter + bias",
    "fully connected": "sum of number × weight + bias",
    "max pooling": "the largest number of the patch",
    "average pooling": "the mean of the patch",
    "batch norm": "γ · (x − mean) / √(variance + ε) + β",
}


def answer_unit(opened: Opened, question: Question) -> dict[str, Any]:
    """Answer ``unit``: the sum that makes a number beside the network's own number.

    Raises UsageError for a layer whose sums are not worked out, and for a place that it has not.
    """
    layer = opened.layer(question.layer)
    if not layer.has_sum:
        raise UsageError(f"{layer.name}: its numbers are not worked out")
    inputs_1CHW = opened.inputs(question)
    runs = trace_shown(opened.trained.model, inputs_1CHW)
    run, plain = runs[question.layer], [one for one in runs if not is_block(one.module)]
    unit = work_out_run(plain, run, question.channel, question.row, question.column)
    source = find_source(runs, run, inputs_1CHW)
    image_size = opened.trained.image_shape[1], opened.trained.image_shape[2]
    return {
        "kind": layer.kind,
        "formula": FORMULAS.get(unit.kind, layer.words),
        "total": rounded(unit.total),
        "network": rounded(unit.network),
        "bias": None if getattr(run.module, "bias", None) is None else rounded(unit.bias),
        **_details(unit, opened, layer, source),
        "added": _added(opened, runs, question) if layer.kind in PLACE_BY_PLACE else [],
        "followed_by": [
            {"name": one.layer, "value": rounded(one.value)} for one in unit.followed_by
        ],
        "field": vars(window_of(layer.units.field, unit.row, unit.column, image_size)),
        "sources": {
            "layer": source,
            "opens": _maker(opened, runs, source),
            "top": unit.rows[0],
            "left": unit.columns[0],
            "height": unit.rows[-1] - unit.rows[0] + 1,
            "width": unit.columns[-1] - unit.columns[0] + 1,
        },
    }


def _details(unit: WorkedUnit, opened: Opened, layer: Layer, source: int | None) -> dict[str, Any]:
    """Return what the number is made of: what it reads, and by what that is multiplied."""
    first, largest_first = unit.terms[0], sorted(unit.terms, key=lambda term: -abs(term.total))
    if unit.kind == "convolution":
        return {
            "terms": [
                {
                    "channel": term.channel,
                    "name": _name(opened, layer, source, term.channel),
                    "patch": rounded(term.patch_HW.tolist()),
                    "filter": rounded(term.filter_HW.tolist()),
                    "inside": unit.inside_HW.tolist(),
                    "sum": rounded(term.total),
                }
                for term in largest_first
            ]
        }
    if unit.kind == "fully connected":
        rest = largest_first[MOST_TERMS:]
        return {
            "terms": [
                {
                    "index": term.channel,
                    "name": _name(opened, layer, source, term.channel),
                    "value": rounded(float(term.patch_HW)),
                    "weight": rounded(float(term.filter_HW)),
                    "product": rounded(term.total),
                }
                for term in largest_first[:MOST_TERMS]
            ],
            "rest": {"count": len(rest), "sum": rounded(sum(term.total for term in rest))},
        }
    if layer.kind == "pooling":
        patch = rounded(first.patch_HW.tolist())
        return {"patch": patch, "inside": unit.inside_HW.tolist(), "winner": unit.winner}
    constants = dict(unit.constants)
    if constants:
        variance = constants["variance"] + constants["ε"]
        constants = {"mean": constants["mean"], "deviation": variance**0.5,
                     "gamma": constants["γ"], "beta": constants["β"]}  # fmt: skip
    return {name: rounded(x) for name, x in {"input": float(first.patch_HW), **constants}.items()}


def _added(opened: Opened, runs: Sequence[LayerRun], question: Question) -> list[dict[str, Any]]:
    """Return the two numbers whose sum is read, of a layer that reads the sum of two outputs."""
    asked, place = runs[question.layer], (question.channel, question.row, question.column)
    if any(run.output is asked.input and not is_block(run.module) for run in runs):
        return []
    before = [i for i, run in enumerate(runs) if run.output is not asked.input]
    alike = [i for i in before if i < question.layer and runs[i].output.shape == asked.input.shape]
    rest = asked.input - runs[alike[-1]].output if alike else asked.input
    same = [i for i in alike[:-1] if torch.allclose(runs[i].output, rest, rtol=1e-4, atol=1e-5)]
    return [
        {"name": opened.layer(i).name, "opens": _maker(opened, runs, i),
         "value": rounded(float(as_maps(runs[i].output, runs[i].field)[0][place]))}
        for i in (*alike[-1:], *same[-1:]) if same
    ]  # fmt: skip


def _maker(opened: Opened, runs: Sequence[LayerRun], source: int | None) -> int | None:
    """Return the layer that made the numbers of ``source``, None where its sums are not worked out.

    What comes out of a block was made by its last layer, what was flattened by a layer before.
    """
    while source not in (None, IMAGE) and isinstance(runs[source].module, nn.Flatten):
        source = opened.layer(source).source
    if source is None or source == IMAGE:
        return None
    output = runs[source].output
    made = [i for i, run in enumerate(runs) if run.output is output and not is_block(run.module)]
    return made[-1] if made and opened.layer(made[-1]).has_sum else None


def _name(opened: Opened, layer: Layer, source: int | None, channel: int) -> str:
    """Name an input: the image's colour, or the layer and the channel that it comes from."""
    where = "" if source is None else "image" if source == IMAGE else opened.layer(source).name
    channels, height, width = layer.filter_shape or (1, 1, 1)
    if layer.kind == "linear" and height * width > 1:
        cell, row, column = channel // (height * width), channel // width % height, channel % width
        return f"{where} {cell} ({row}, {column})".strip()
    if source == IMAGE and channels == len(COLOURS):
        return COLOURS[channel]
    return f"{where} {channel}".strip()
