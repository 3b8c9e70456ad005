"""A network in few parts: layers that belong together, and blocks that repeat.

Shape letters: C channels, H W pixels.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from torch import Tensor, nn

from .summary import LayerRun, trace_layers

WORDS = {
    "Linear": "fully connected", "MaxPool2d": "max pool", "AvgPool2d": "average pool",
    "AdaptiveAvgPool2d": "average pool", "AdaptiveMaxPool2d": "max pool",
    "BatchNorm2d": "norm", "GroupNorm": "norm", "LayerNorm": "norm", "LayerNorm2d": "norm",
}  # fmt: skip
"""What layers are called, where their class's name is not plain English."""

SAID_BY_SHAPES = (nn.Flatten, nn.Dropout)
"""Layers that a picture does not name."""


@dataclass(frozen=True)
class Part:
    """``count`` equal parts one after the other: from ``name`` on, each does ``what``.

    output_shape: (C, H, W), or (D,) once the maps are flat; of the last one. parameters: of all.
    """

    name: str
    what: str
    count: int
    output_shape: tuple[int, ...]
    parameters: int


def outline(model: nn.Module, image_shape: tuple[int, int, int]) -> list[Part]:
    """List a network's parts in the order in which an image of ``image_shape`` passes them."""
    runs = trace_layers(model, image_shape)
    next_runs = dict(zip(map(id, runs), runs[1:], strict=False))
    parts: list[Part] = []
    counted: set[Tensor] = set()
    for block, group in _groups(model, runs):
        own = {p for run in group for p in run.module.parameters(recurse=False)} - counted
        counted |= own
        words = map(_word, [model.get_submodule(block)] if block else [run.module for run in group])
        last, following = group[-1], next_runs.get(id(group[-1]))
        # What a block adds or joins at its end, no layer of it returns.
        output = following.input if block and following else last.output
        part = Part(
            name=re.sub(r"\.\d+$", "", block) or group[0].name,
            what=", ".join(words),
            count=1,
            output_shape=tuple(output.shape[1:]),
            parameters=sum(p.numel() for p in own),
        )
        if parts and _are_alike(parts[-1], part):
            above = parts.pop()
            part = replace(
                part,
                name=above.name,
                count=above.count + 1,
                parameters=above.parameters + part.parameters,
            )
        parts.append(part)
    return parts


def _are_alike(above: Part, part: Part) -> bool:
    """Whether two parts do the same to maps of one size; blocks of a sequence may grow in C."""
    same_sequence = above.name == part.name and above.output_shape[1:] == part.output_shape[1:]
    return above.what == part.what and (same_sequence or above.output_shape == part.output_shape)


def _groups(model: nn.Module, runs: Iterable[LayerRun]) -> Iterator[tuple[str, list[LayerRun]]]:
    """Yield the layers of a block, with its name, or a layer with the norm and activation near it.

    Of convolutions, fully connected layers and poolings there is one outside of blocks.
    """
    block, group = "", list[LayerRun]()
    for run in runs:
        own = _block_around(model, run.name)
        if not run.name or (not own and isinstance(run.module, SAID_BY_SHAPES)):
            continue
        is_next_layer = not own and _is_main(run) and any(map(_is_main, group))
        if group and (own != block or is_next_layer):
            yield block, group
            group = []
        block = own
        group.append(run)
    yield block, group


def _block_around(model: nn.Module, name: str) -> str:
    """Return the outermost module around a layer that is no plain sequence; "" if none is."""
    ends = [dot.start() for dot in re.finditer(r"\.", name)]
    around = (name[:end] for end in ends)
    return next((a for a in around if not isinstance(model.get_submodule(a), nn.Sequential)), "")


def _is_main(run: LayerRun) -> bool:
    return isinstance(run.module, nn.Conv2d | nn.Linear) or "Pool" in type(run.module).__name__


def _word(module: nn.Module) -> str:
    """Return what a module is called: ``conv 3×3 / 2``, ``basic block``."""
    kind = type(module).__name__
    if isinstance(module, nn.Conv2d):
        stride = f" / {module.stride[0]}" if module.stride[0] > 1 else ""
        return f"conv {module.kernel_size[0]}×{module.kernel_size[1]}{stride}"
    words = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", kind)
    return WORDS.get(kind) or (kind if words == kind else words.lower())
