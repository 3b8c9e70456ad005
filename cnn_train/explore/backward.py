"""What speaks for a class, asked backwards: from a score to the pixels, and to every map.

Shape letters: B minibatch, C channels, H W pixels.
"""

from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from ..visualize.attribution import enlarge, grad_cam, occlusion, per_pixel
from ..visualize.backward_rules import count_ruled, unit_signals
from ..visualize.layers import as_maps, keep_outputs
from ..visualize.pictures import CLIPPED_SHARE, spread
from .checkpoints import Opened
from .layers import Layer
from .question import Question, pack_exact, pack_signed

WINDOW_PARTS, STRIDE_PARTS = 4, 2
"""A cover is a quarter of the image wide, and moves by half of itself."""


def answer_backward(opened: Opened, question: Question) -> dict[str, Any]:
    """Answer ``backward``: by one of four methods, in float32; the gradient also at each map.

    Raises UsageError where the class or the method means nothing to this network.
    """
    started, model = perf_counter(), opened.trained.model
    inputs_1CHW = opened.inputs(question)
    label = question.label
    if label is None or not 0 <= label < len(opened.trained.class_names):
        raise UsageError(f"class {label}: choose from 0 to {len(opened.trained.class_names) - 1}")
    layers = {index: opened.layer(index) for index in dict.fromkeys(question.layers)}
    slopes: dict[int, Tensor] = {}
    if question.method == "gradient":
        pixels_CHW, slopes = _gradient(opened, layers, inputs_1CHW, label)
        words = "how the score rises with each number: d score / d pixel, d score / d map"
    elif question.method == "guided":
        pixels_CHW, words = _guided(opened, inputs_1CHW, label)
    elif question.method == "cam":
        pixels_CHW, words = _cam(opened, inputs_1CHW, label)
    else:
        window_px = max(1, inputs_1CHW.shape[2] // WINDOW_PARTS)
        sizes = {"window_px": window_px, "stride_px": max(1, window_px // STRIDE_PARTS)}
        pixels_CHW = occlusion(model, inputs_1CHW[0], label, **sizes)[None]
        words = f"what the score loses where {window_px} × {window_px} pixels are covered"
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
        "words": words,
        "milliseconds": round(1000 * (perf_counter() - started), 1),
    }


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
    words = "what excites the score: at each ReLU only what is positive passes; no gradient"
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
    """Return Grad-CAM at the last maps of more than one unit, 1HW."""
    with_maps = [layer for layer in opened.layers if layer.units.map_size != (1, 1)]
    if not with_maps:
        raise UsageError("the network has no maps, so there is no Grad-CAM of it; take another")
    units, label_1 = with_maps[-1].units, torch.tensor([label]).to(inputs_1CHW.device)
    map_1hw = grad_cam(opened.trained.model, units, inputs_1CHW, label_1)
    words = f"Grad-CAM: where the maps of {units.layer} speak for the class"
    return enlarge(map_1hw, (inputs_1CHW.shape[2], inputs_1CHW.shape[3])), words
