"""``cnn-train learn params``: why convolutions, in numbers of weights."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal

from ...page import Block, Page, numbers, paragraph, texts
from ..options import JsonOption
from ..present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from ...figures.style import Drawing
    from ...lecture.parameters import LayerSize


def params(
    image_size: Annotated[int, typer.Option(min=1, help="Side of the image in pixels.")] = 200,
    channels: Annotated[int, typer.Option(min=1, help="1 for grey, 3 for colour.")] = 1,
    units: Annotated[int, typer.Option(min=1, help="Hidden units.")] = 40_000,
    patch: Annotated[int, typer.Option(min=1, help="Side of a patch in pixels.")] = 10,
    filters: Annotated[int, typer.Option(min=1, help="Filters that all patches share.")] = 100,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Count weights: fully connected, locally connected, and with shared filters."""
    from ...lecture.parameters import compare_layers

    check_picture(out)
    layers = compare_layers(image_size, channels, units, patch, filters)
    size = f"{image_size:,}×{image_size:,}×{channels}"
    columns = (*texts("layer"), *numbers("inputs per unit", "weights", "biases", "float32"))
    rows = []
    for layer in layers:
        counts = map(_count, (layer.inputs_per_unit, layer.weights, layer.biases))
        memory = f"{layer.bytes:.1e} B" if layer.bytes >= 1e18 else decimal(layer.bytes)
        rows.append((layer.kind, *counts, memory))
    page = Page(
        blocks=(
            Block(f"An image of {size}, {_count(units)} hidden units"),
            Block(columns=columns, rows=tuple(rows)),
            paragraph(
                f"fully connected: every unit sees every pixel. locally connected: {patch}×{patch} "
                f"pixels per unit, each with weights of its own. convolution: {filters} filters of "
                f"{patch}×{patch}, the same at every place."
            ),
        ),
        document={
            "image_size": image_size,
            "channels": channels,
            "units": units,
            "patch": patch,
            "filters": filters,
            "layers": [
                asdict(layer) | {"parameters": layer.parameters, "bytes": layer.bytes}
                for layer in layers
            ],
        },
        draw=lambda: _draw(layers),
    )
    present(page, as_json=as_json, out=out)


def _draw(layers: "Sequence[LayerSize]") -> "Drawing":
    from ...figures.connections import draw_connections

    captions = [f"{layer.kind}\n{_count(layer.weights)} weights" for layer in layers]
    return draw_connections(captions, "Units above, pixels below; equal colour: the same weight")


def _count(number: int) -> str:
    return f"{number:,}" if number < 1e15 else f"{number:.3e}"
