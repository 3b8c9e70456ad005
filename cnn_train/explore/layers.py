"""The layers of a network as a page shows them, and the blocks that they form.

Beside the layers that `models show` lists stand the outputs of modules that compute something of
their own, such as a residual block's sum. A module that runs several times is listed as often.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..models.summary import LayerRun, is_layer, trace_images
from ..visualize.layer_sums import can_work_out
from ..visualize.layers import RELUS, Units, as_maps
from .words import describe_layer

SILENT = {"Dropout", "Dropout2d", "StochasticDepth"}
"""Layers that do nothing outside training; the last is torchvision's."""

IMAGE = -1
"""The source of a layer that reads the image."""

SUMS = ("convolution", "linear")

MOST_OPEN = 16
"""Networks of at most so many layers are shown open at first."""


@dataclass(frozen=True)
class Layer:
    """A layer, or what comes out of a block; ``units`` say where its numbers are read.

    source: the index of the layer that it reads, as of :func:`find_source`. filter_shape: (C, H, W)
    of the weights of one of its sums; None: it has no such weights. num_parameters: counted at its
    first run.
    """

    units: Units
    kind: str
    words: str
    num_parameters: int
    source: int | None
    filter_shape: tuple[int, ...] | None

    @property
    def name(self) -> str:
        """As `models show` names it, with the number of the run where there are several."""
        return self.units.layer

    @property
    def has_sum(self) -> bool:
        """Whether one of its numbers can be worked out."""
        return self.kind != "block" and can_work_out(self.units.module)


@dataclass(frozen=True)
class LayerBlock:
    """Neighbouring layers, from index ``first`` to ``last``, that belong together."""

    name: str
    first: int
    last: int


def list_layers(model: nn.Module, image_shape: tuple[int, int, int]) -> list[Layer]:
    """List the layers that an image passes, in their order."""
    weight = next(model.parameters())
    zeros_1CHW = torch.zeros(1, *image_shape, device=weight.device, dtype=weight.dtype)
    runs = trace_shown(model, zeros_1CHW)
    num_runs, calls, layers = Counter(run.name for run in runs), Counter[str](), list[Layer]()
    for run in runs:
        calls[run.name] += 1
        call = calls[run.name]
        name = run.name if num_runs[run.name] == 1 else f"{run.name} #{call}"
        channels, height, width = as_maps(run.output, run.field).shape[1:]
        is_relu = isinstance(run.module, RELUS)
        size = (height, width)
        units = Units(name, name, run.module, channels, size, run.field, is_relu, call)
        kind, words = describe_layer(run.module, units, run.input)
        if is_block(run.module):
            kind, words = "block", f"what comes out of this {type(run.module).__name__}"
        own = sum(p.numel() for p in run.module.parameters(recurse=False)) if call == 1 else 0
        source = find_source(runs, run, zeros_1CHW)
        shape = _filter_shape(run, None if source in (IMAGE, None) else runs[source])
        layers.append(Layer(units, kind, words, own, source, shape))
    return layers


def trace_shown(model: nn.Module, images_BCHW: Tensor) -> list[LayerRun]:
    """Run images and return the runs that a page shows.

    Left out are the network itself, outputs that are no maps, and blocks that add nothing to what
    their last layer makes of another's output.
    """
    runs = [
        run
        for run in trace_images(model, images_BCHW, is_shown)
        if (run.name or not is_block(run.module)) and as_maps(run.output, run.field).ndim == 4
    ]
    layers = {id(run.output): run for run in runs if not is_block(run.module)}

    def adds(block: LayerRun) -> bool:
        last = layers.get(id(block.output))
        return last is None or (id(last.input) not in layers and last.input is not block.input)

    return [run for run in runs if not is_block(run.module) or adds(run)]


def is_block(module: nn.Module) -> bool:
    """Tell whether a module with layers inside computes something of its own between them."""
    has_children = next(module.children(), None) is not None
    return has_children and type(module).forward is not nn.Sequential.forward


def is_shown(module: nn.Module) -> bool:
    """Tell whether a module's output may be shown."""
    return (is_layer(module) or is_block(module)) and type(module).__name__ not in SILENT


def find_source(runs: Sequence[LayerRun], run: LayerRun, images_BCHW: Tensor) -> int | None:
    """Return which of ``runs`` made the input of ``run``: a block, rather than its last layer.

    IMAGE: it reads the image. None: it reads what no layer made, such as a sum.
    """
    if run.input is images_BCHW:
        return IMAGE
    found = [i for i, other in enumerate(runs) if other.output is run.input and other is not run]
    return found[-1] if found else None


def _filter_shape(run: LayerRun, source: LayerRun | None) -> tuple[int, ...] | None:
    """Return (C, H, W) of one filter; a fully connected layer's has that of the maps it reads."""
    if isinstance(run.module, nn.Conv2d):
        return tuple(run.module.weight.shape[1:])
    if not isinstance(run.module, nn.Linear):
        return None
    if source is not None and isinstance(source.module, nn.Flatten) and source.input.ndim == 4:
        return tuple(source.input.shape[1:])
    return (run.module.in_features, 1, 1)


def group_layers(model: nn.Module, layers: Sequence[Layer]) -> list[LayerBlock]:
    """Put neighbours into blocks: a module that is one, or else layers up to the next pooling."""
    names = [name for name, module in model.named_modules() if name and is_block(module)]
    homes = [_home(layer.name, names) for layer in layers]
    starts, sums = [0], 0
    for i, (before, layer) in enumerate(pairwise(layers), start=1):
        sums += before.kind in SUMS
        ends = before.kind == "pooling" and layer.kind not in ("batch norm", "activation")
        ends |= layer.kind == "linear" and sums > 0
        if homes[i] != homes[i - 1] or (homes[i] not in names and ends):
            starts.append(i)
            sums = 0
    blocks = []
    for first, end in zip(starts, [*starts[1:], len(layers)], strict=True):
        is_all = homes[first] and [homes[start] for start in starts].count(homes[first]) == 1
        own = dict.fromkeys(layers[i].name for i in (first, end - 1))
        blocks.append(LayerBlock(homes[first] if is_all else " – ".join(own), first, end - 1))
    return blocks


def _home(layer: str, block_names: Sequence[str]) -> str:
    """Return the outermost block that a layer is in, or else the module around it."""
    name = layer.partition(" #")[0]
    around = [block for block in block_names if f"{name}.".startswith(f"{block}.")]
    return min(around, key=len) if around else name.rpartition(".")[0]


def open_at_first(layers: Sequence[Layer], blocks: Sequence[LayerBlock]) -> list[int]:
    """Return the blocks that a page shows open at first: all of a small network."""
    if len(layers) <= MOST_OPEN:
        return list(range(len(blocks)))
    return sorted({0, len(blocks) - 1})
