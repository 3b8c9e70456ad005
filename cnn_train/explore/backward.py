"""What speaks for a class, asked backwards: from a score to the pixels, and to every map.

Shape letters: B minibatch, C channels, K classes, H W pixels, h w units of a map, M covers.
"""

from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from ..page import times
from ..visualize.attribution import (
    covered_scores,
    enlarge,
    grad_cam,
    mean_over,
    per_pixel,
    window_positions,
)  # fmt: skip
from ..visualize.backward_rules import count_ruled, unit_signals
from ..visualize.layers import LEAST_MAP, as_maps, keep_outputs
from ..visualize.pictures import CLIPPED_SHARE, spread
from .checkpoints import Opened, finite
from .layers import Layer
from .question import Question, pack_exact, pack_signed, rounded

WINDOW_PARTS, STRIDE_PARTS = 4, 2
"""A cover is a quarter of the image wide, and moves by half of itself."""
MOST_SPEAKERS = 3


def answer_backward(opened: Opened, question: Question) -> dict[str, Any]:
    """Answer ``backward``: by one of four methods, in float32; the gradient also at each map.

    Raises UsageError where the class or the method means nothing to this network.
    """
    started, label = perf_counter(), _known_class(opened, question.label)
    inputs_1CHW = opened.inputs(question)
    layers = {index: opened.layer(index) for index in dict.fromkeys(question.layers)}
    slopes: dict[int, Tensor] = {}
    covers = None
    if question.method == "gradient":
        pixels_CHW, slopes = _gradient(opened, layers, inputs_1CHW, label)
        words = "d score / d pixel: how the score rises with each number"
    elif question.method == "guided":
        pixels_CHW, words = _guided(opened, inputs_1CHW, label)
    elif question.method == "cam":
        pixels_CHW, words = _cam(opened, inputs_1CHW, label)
    else:
        pixels_CHW, covers = _occlusion(opened, inputs_1CHW, label)
        words = f"what the score loses where {times([covers['size_px']] * 2)} pixels are covered"
    return {
        "image": {**_packed(pixels_CHW.permute(1, 2, 0)), "channels": len(pixels_CHW)},
        "maps": [
            {
                "layer": index,
                **_packed(slope),
                "exact": pack_exact(slope) if question.exact else None,
            }
            for index, slope in slopes.items()
        ],
        "covers": covers,
        "words": words,
        "milliseconds": round(1000 * (perf_counter() - started), 1),
    }


def answer_speakers(opened: Opened, question: Question) -> dict[str, Any]:
    """Answer ``speakers``: what the maps of a layer add to a class's score, to first order.

    It is Σ gradient × value over the map, at the slope that the score has here; with ``against``,
    of the difference to that class's score. The largest sums come first, the smallest last, each
    with the cell that adds most to it.
    """
    label, layer = _known_class(opened, question.label), opened.layer(question.layer)
    pixels_1CHW = opened.inputs(question).clone().requires_grad_()
    with keep_outputs([layer.units]) as outputs, torch.enable_grad():
        scores_K = finite(opened, opened.trained.model(pixels_1CHW))[0]
        score = scores_K[label]
        if question.against is not None:
            score = score - scores_K[_known_class(opened, question.against)]
    output = outputs[layer.name]
    (slope,) = torch.autograd.grad(score, [output], materialize_grads=True)
    share_Chw = as_maps((slope * output).detach(), layer.units.field)[0]
    sum_C = share_Chw.sum(dim=(1, 2))
    order = sum_C.argsort(descending=True, stable=True).tolist()
    return {
        "score": rounded(float(score.detach())),
        "sum": rounded(float(sum_C.sum())),
        "maps": [
            _speaker(channel, share_Chw[channel])
            for channel in dict.fromkeys([*order[:MOST_SPEAKERS], order[-1]])
        ],
    }


def _speaker(channel: int, share_hw: Tensor) -> dict[str, Any]:
    total = float(share_hw.sum())
    row, column = divmod(int((share_hw * (1 if total >= 0 else -1)).argmax()), share_hw.shape[1])
    return {"channel": channel, "sum": rounded(total), "row": row, "column": column}


def _known_class(opened: Opened, label: int | None) -> int:
    """Return the class; UsageError where the network has none of this number."""
    if label is None or not 0 <= label < len(opened.trained.class_names):
        raise UsageError(f"class {label}: choose from 0 to {len(opened.trained.class_names) - 1}")
    return label


def _packed(signal: Tensor) -> dict[str, Any]:
    """Pack a signal; the few largest values are cut off, or they would hide all others."""
    signal = signal.nan_to_num()
    has_few = signal.numel() * CLIPPED_SHARE < 1
    return pack_signed(signal, None if has_few or not signal.any() else spread(signal))


def _gradient(
    opened: Opened, layers: dict[int, Layer], inputs_1CHW: Tensor, label: int
) -> tuple[Tensor, dict[int, Tensor]]:
    """Return the slope of a class's score at each pixel CHW, and CHW at the maps of some layers."""
    pixels_1CHW = inputs_1CHW.clone().requires_grad_()
    with keep_outputs([layer.units for layer in layers.values()]) as outputs, torch.enable_grad():
        score = opened.trained.model(pixels_1CHW)[0, label]
    wanted = [pixels_1CHW, *(outputs[layer.name] for layer in layers.values())]
    slopes = torch.autograd.grad(score, wanted, materialize_grads=True)
    fields = [layer.units.field for layer in layers.values()]
    maps = [as_maps(slope, field)[0] for slope, field in zip(slopes[1:], fields, strict=True)]
    return per_pixel(slopes[0][0], torch.tensor(opened.trained.normalization.std)), dict(
        zip(layers, maps, strict=True)
    )


def _guided(opened: Opened, inputs_1CHW: Tensor, label: int) -> tuple[Tensor, str]:
    """Return what guided backpropagation brings from a class's score to the pixels, CHW."""
    model, scores = opened.trained.model, opened.layers[-1].units
    words = "what excites the score: a gradient, but at each ReLU only what is positive passes"
    try:
        if not count_ruled(model, scores, inputs_1CHW, "guided"):
            words = "this network has no ReLU: guided backpropagation is the gradient itself"
    except UsageError:
        reason = "it is defined for ReLU alone, and this network has another activation"
        raise UsageError(f"guided backpropagation: {reason}; take the gradient") from None
    place_13 = torch.tensor([[label, 0, 0]])
    signal_CHW = unit_signals(model, scores, inputs_1CHW, place_13, "guided")[0]
    return per_pixel(signal_CHW, torch.tensor(opened.trained.normalization.std)), words


def _cam(opened: Opened, inputs_1CHW: Tensor, label: int) -> tuple[Tensor, str]:
    """Return Grad-CAM at the last maps of 4 × 4 units or, if none has, of more than one, 1HW."""
    sizes = [min(layer.units.map_size) for layer in opened.layers]
    wide = [i for i, size in enumerate(sizes) if size >= min(LEAST_MAP, max(2, max(sizes)))]
    if not wide:
        raise UsageError("the network has no maps, so there is no Grad-CAM of it; take another")
    units, label_1 = opened.layers[wide[-1]].units, torch.tensor([label]).to(inputs_1CHW.device)
    map_1hw = grad_cam(opened.trained.model, units, inputs_1CHW, label_1)
    words = f"where the maps of {units.layer} ({times(units.map_size)}) speak for the class"
    return enlarge(map_1hw, (inputs_1CHW.shape[2], inputs_1CHW.shape[3])), words


def _occlusion(opened: Opened, inputs_1CHW: Tensor, label: int) -> tuple[Tensor, dict[str, Any]]:
    """Return the mean loss of score over the covers of each pixel, 1HW, and what each cover leaves.

    That is a probability where the network has any, else the score.
    """
    size_px = max(1, inputs_1CHW.shape[2] // WINDOW_PARTS)
    step_px = max(1, size_px // STRIDE_PARTS)
    covers_MHW = window_positions(inputs_1CHW.shape[2:], size_px, step_px).to(inputs_1CHW.device)
    with_none_MHW = torch.cat([torch.zeros_like(covers_MHW[:1]), covers_MHW])
    scores_MK = covered_scores(opened.trained.model, inputs_1CHW[0], with_none_MHW)
    finite(opened, scores_MK)
    known = opened.trained.config.loss.gives_probabilities
    left_M = (scores_MK.double().softmax(dim=1) if known else scores_MK)[:, label].tolist()
    covers = {
        "size_px": size_px,
        "places": [_place(covered_HW) for covered_HW in covers_MHW],
        "before": rounded(left_M[0]),
        "left": rounded(left_M[1:]),
        "predicted": scores_MK[1:].argmax(dim=1).tolist(),
    }
    return mean_over(covers_MHW, scores_MK[0, label] - scores_MK[1:, label])[None], covers


def _place(covered_HW: Tensor) -> list[int]:
    """Return the first row and column of what is covered, its height and its width."""
    rows, columns = (covered_HW.any(dim=axis).nonzero() for axis in (1, 0))
    return [int(rows[0]), int(columns[0]), len(rows), len(columns)]
