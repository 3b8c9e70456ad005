"""The network as a function from images to scores, in the fastest way for training here."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from ..machine.device import Device, Precision, multiplies_bfloat16, with_autocast
from .convolutions import Forward, ReplacedConvolutions, keeps_size
from .depthwise import convolve_in_float32, is_slow
from .graphs import replay
from .small_maps import SmallMapConvolution, is_small
from .winograd import WinogradConvolution, saves_time

MOST_SHAPES = 64
"""Shapes of minibatches for which a network is compiled before torch runs it uncompiled."""


def training_forward(
    module: nn.Module,
    device: Device,
    precision: Precision,
    *,
    compiled: bool,
    recorded: bool = False,
) -> Forward:
    """Wrap the network into ``images -> float32 scores``, in the fastest way for training here.

    ``recorded``: replay the passes on a CUDA GPU; only where every minibatch is an update of its
    own and no other thread prepares minibatches on the GPU meanwhile.
    """
    network = compile_network(module) if compiled else module
    forward = with_autocast(network, device, precision)
    if recorded and device.torch_device.type == "cuda":
        return replay(module, forward)
    if device.torch_device.type != "cpu" or compiled:
        return forward
    vector_units = torch.backends.cpu.get_cpu_capability()  # the widest that torch uses here
    if precision.is_low:

        def convolve(x_BCHW: Tensor, weight_OCkk: Tensor, *geometry: Any) -> Tensor | None:
            if keeps_size(weight_OCkk, *geometry) and is_small(x_BCHW, weight_OCkk):
                return cast(Tensor, SmallMapConvolution.apply(x_BCHW, weight_OCkk, precision.dtype))
            stride, *_, groups = geometry
            if is_slow(x_BCHW, weight_OCkk, stride, groups):
                return convolve_in_float32(x_BCHW, weight_OCkk, geometry, precision.dtype)
            return None

    elif vector_units == "AVX2" and not multiplies_bfloat16(device.torch_device):

        def convolve(x_BCHW: Tensor, weight_OCkk: Tensor, *geometry: Any) -> Tensor | None:
            if keeps_size(weight_OCkk, *geometry) and saves_time(x_BCHW, weight_OCkk):
                return cast(Tensor, WinogradConvolution.apply(x_BCHW, weight_OCkk))
            return None

    else:
        return forward  # where tiles were not measured
    replaced = ReplacedConvolutions(convolve)

    def replacing_forward(images_BCHW: Tensor) -> Tensor:
        with replaced:
            return forward(images_BCHW)

    return replacing_forward


def compile_network(module: nn.Module) -> Forward:
    """Compile one kernel per shape of minibatch: what runs depends on the shape alone.

    By default, torch compiles a kernel for all shapes when it meets the second one, so a resumed
    run would use other kernels, with other rounding. And it gives up after eight shapes, while
    images that grow over the epochs have two shapes per size: the last minibatch is smaller.
    """
    torch._dynamo.config.recompile_limit = max(MOST_SHAPES, torch._dynamo.config.recompile_limit)
    return cast(Forward, torch.compile(module, dynamic=False))
