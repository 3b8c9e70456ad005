"""The arithmetic of one training step, counted operation by operation.

A multiply-add is two floating-point operations, as in every processor's data sheet. Convolutions
and matrix products count; the rest of a step moves memory rather than computes.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import prod

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

NUM_IMAGES = 2
"""Batch normalisation needs more than one value per channel; the count is linear in the images."""


@dataclass(frozen=True)
class StepFlops:
    """Floating-point operations per image: of the forward pass, and of forward and backward."""

    forward: int
    training: int


def count_flops(model: nn.Module, image_shape: tuple[int, int, int]) -> StepFlops:
    """Count on the meta device, where nothing is computed; ``model`` stays as it is.

    Training is counted, not taken as three forward passes: the first layer needs no gradient of
    its input, and a frozen layer none of its weights.
    """
    replica = deepcopy(model).to("meta").train()
    images_BCHW = torch.zeros(NUM_IMAGES, *image_shape, device="meta")
    rules = {torch.ops.aten.convolution_backward: _convolution_backward_flops}
    with FlopCounterMode(display=False, custom_mapping=rules) as counter:
        scores_BK = replica(images_BCHW)
        forward = counter.get_total_flops()
        scores_BK.sum().backward()
    return StepFlops(forward // NUM_IMAGES, counter.get_total_flops() // NUM_IMAGES)


def _convolution_backward_flops(
    gradient_shape: Sequence[int],
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    *settings: object,
    **outputs: object,
) -> int:
    """Count each gradient that is needed: one costs as much as the forward pass.

    The counter's own rule takes grouped convolutions for dense ones: MobileNetV2's backward pass
    would cost 21 times its forward pass.
    """
    *_, wanted = settings  # of the input, of the weights, of the bias
    assert isinstance(wanted, Sequence)
    positions = gradient_shape[0] * prod(gradient_shape[2:])
    return 2 * positions * prod(weight_shape) * (bool(wanted[0]) + bool(wanted[1]))
