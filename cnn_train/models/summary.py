"""What every layer of a network does to the image: shapes, parameters, work, receptive field."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from . import ARCHITECTURES
from .receptive_field import ReceptiveField, ReceptiveFieldTracker

Pair = tuple[int, int]


@dataclass(frozen=True)
class LayerSummary:
    """One layer, in the order of execution; shapes are those of a single image.

    macs: multiplications with a weight (each followed by an addition) for one image.
    receptive_field_px: side of the square of input pixels that can reach one output unit; where
    its height and width differ, the larger. It may exceed the image, padding included.
    """

    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    kernel_px: Pair | None
    stride_px: Pair | None
    padding_px: Pair | None
    parameters: int
    macs: int
    receptive_field_px: int


@dataclass(frozen=True)
class LayerRun:
    """One pass of an image through one layer; ``field`` is that of the output's units."""

    name: str
    module: nn.Module
    input: Tensor
    output: Tensor
    field: ReceptiveField


def is_layer(module: nn.Module) -> bool:
    """Tell whether the summary lists this module."""
    has_own_parameters = next(module.parameters(recurse=False), None) is not None
    has_children = next(module.children(), None) is not None
    does_nothing = isinstance(module, nn.Identity | nn.Sequential)  # an empty Sequential, here
    return has_own_parameters or not (has_children or does_nothing)


def summarize(model: nn.Module, image_shape: tuple[int, int, int]) -> list[LayerSummary]:
    """List the layers that one image of ``image_shape`` (C, H, W) passes through.

    A layer is a module without children, or one with parameters of its own; identities are left
    out. One that runs twice is listed twice and its parameters are counted the first time. Runs
    one forward pass in eval mode on the model's own device: on "meta" it computes shapes only.
    """
    counted: set[str] = set()
    layers = []
    for run in trace_layers(model, image_shape):
        module, own_parameters = run.module, run.module.parameters(recurse=False)
        layers.append(
            LayerSummary(
                name=run.name,
                kind=type(module).__name__,
                input_shape=tuple(run.input.shape[1:]),
                output_shape=tuple(run.output.shape[1:]),
                kernel_px=_pair(module, "kernel_size"),
                stride_px=_pair(module, "stride"),
                padding_px=_pair(module, "padding"),
                parameters=0 if run.name in counted else sum(p.numel() for p in own_parameters),
                macs=count_macs(module, run.output),
                receptive_field_px=max(run.field.size_px),
            )
        )
        counted.add(run.name)
    return layers


def trace_layers(model: nn.Module, image_shape: tuple[int, int, int]) -> list[LayerRun]:
    """Run one image of zeros through ``model`` and note each layer's input and output, in order."""
    some_weight = next(model.parameters())
    images_BCHW = torch.zeros(1, *image_shape, device=some_weight.device, dtype=some_weight.dtype)
    return trace_images(model, images_BCHW)


def trace_images(
    model: nn.Module, images_BCHW: Tensor, is_listed: Callable[[nn.Module], bool] = is_layer
) -> list[LayerRun]:
    """Run these images through ``model``, in eval mode, as :func:`trace_layers` does.

    is_listed: which modules are noted; one that returns no tensor is left out.
    """
    tracker = ReceptiveFieldTracker(images_BCHW)
    runs: list[LayerRun] = []
    copies: dict[int, tuple[Tensor, Tensor]] = {}

    def original(tensor: Tensor) -> Tensor:
        """Return the output that this is an unchanged copy of, if it is one."""
        copy, output = copies.get(id(tensor), (None, tensor))
        return output if copy is None or copy._version == 0 else tensor

    def note(
        name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
    ) -> Tensor | None:
        """Keep the output, and hand on a copy: what reads it may change it in place."""
        if not isinstance(output, Tensor):
            return None
        if isinstance(module, nn.Linear) and output.ndim > 2:  # acts on each pixel by itself
            tracker.set_field(output, tracker.field_of(inputs[0]))
        field = tracker.field_of(output)
        if isinstance(module, nn.Flatten):  # each number stays one unit; its readers see them all
            field = replace(tracker.field_of(inputs[0]), axes=field.axes)
        run = LayerRun(name, module, original(inputs[0]), original(output), field)
        runs.append(run)
        copy = run.output.clone()
        copies[id(copy)] = (copy, run.output)
        return copy

    with ExitStack() as stack, evaluating(model), torch.no_grad():
        for name, module in model.named_modules():
            if is_listed(module):
                stack.enter_context(module.register_forward_hook(partial(note, name)))
        with tracker:
            model(images_BCHW)
    return runs


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every module in eval mode, and back into the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def count_macs(module: nn.Module, output: Tensor) -> int:
    """Return the number of multiplications with a weight; layers without weights have none."""
    if isinstance(module, nn.Conv2d):
        return output.numel() * module.weight[0].numel()
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    return 0


def _pair(module: nn.Module, setting: str) -> Pair | None:
    """Return a window's setting, vertical then horizontal; None: the layer has no window."""
    value = getattr(module, setting, None)
    return (value, value) if isinstance(value, int) else value


@dataclass(frozen=True)
class ArchitectureSummary:
    """One architecture with its default settings; macs: multiply-adds for one image."""

    name: str
    description: str
    parameters: int
    macs: int


def summarize_architecture(
    name: str, num_classes: int, image_shape: tuple[int, int, int]
) -> ArchitectureSummary:
    """Measure one architecture on the meta device, where nothing is computed."""
    config_type = ARCHITECTURES[name]
    with torch.device("meta"):
        model = config_type(name=name).build(num_classes, image_shape)
    layers = summarize(model, image_shape)
    return ArchitectureSummary(
        name=name,
        description=(config_type.__doc__ or "").strip().rstrip("."),
        parameters=sum(layer.parameters for layer in layers),
        macs=sum(layer.macs for layer in layers),
    )
