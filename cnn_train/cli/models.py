"""``cnn-train models``: the networks, one of them layer by layer, and those that are trained."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..page import Block, Page, numbers, paragraph, percent, texts, times
from .completion import complete_models
from .console import progress
from .loading import load_settings
from .options import JsonOption, SetOption
from .present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from torch.nn import Module

    from ..figures.style import Drawing
    from ..models.architecture import ArchitectureConfig
    from ..models.summary import ArchitectureSummary, LayerSummary

IMAGE_CHANNELS = 3
NUM_CLASSES, IMAGE_SIZE_PX = 10, 32  # CIFAR-10's, for which the literature counts parameters

app = typer.Typer(
    invoke_without_command=True, help="List the architectures, show one layer by layer, or draw it."
)


@app.callback()
def list_architectures(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the architectures, show one layer by layer, or draw it."""
    if context.invoked_subcommand is not None:
        return
    from ..models import ARCHITECTURES
    from ..models.summary import summarize_architecture

    image_shape = (IMAGE_CHANNELS, IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    summaries = []
    with progress("Measuring the architectures", len(ARCHITECTURES)) as advance:
        for name in ARCHITECTURES:
            summaries.append(summarize_architecture(name, NUM_CLASSES, image_shape))
            advance(1)
    architectures = [asdict(summary) for summary in summaries]
    document = _setting(NUM_CLASSES, image_shape) | {"architectures": architectures}
    table = _architecture_table(summaries, _describe(NUM_CLASSES, image_shape))
    present(Page((table,), document), as_json=as_json)


NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="An architecture of the list.", autocompletion=complete_models
    ),
]
NumClassesOption = Annotated[int, typer.Option(min=1, help="Number of scores.")]
ImageSizeOption = Annotated[int, typer.Option(min=1, help="Side in pixels.")]


@app.command()
def show(
    name: NameArgument,
    overrides: SetOption = None,
    num_classes: NumClassesOption = NUM_CLASSES,
    image_size: ImageSizeOption = IMAGE_SIZE_PX,
    as_json: JsonOption = False,
) -> None:
    """Print every layer: shapes, kernel, parameters, work and receptive field."""
    from ..models.summary import summarize

    architecture, model, image_shape = _build(name, overrides, num_classes, image_size)
    layers = summarize(model, image_shape)
    parameters = sum(layer.parameters for layer in layers)
    macs = sum(layer.macs for layer in layers)
    document: dict[str, Any] = {"model": architecture.model_dump(mode="json")}
    document |= _setting(num_classes, image_shape) | {"parameters": parameters, "macs": macs}
    document["layers"] = [asdict(layer) for layer in layers]
    table = _layer_table(layers, parameters, macs, _describe(num_classes, image_shape))
    present(Page((table,), document), as_json=as_json)


@app.command()
def draw(
    name: NameArgument,
    overrides: SetOption = None,
    num_classes: NumClassesOption = NUM_CLASSES,
    image_size: ImageSizeOption = IMAGE_SIZE_PX,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Draw it as a row of blocks with their shapes (--out FILE); repeated ones are counted."""
    from ..models.outline import outline

    check_picture(out)
    architecture, model, image_shape = _build(name, overrides, num_classes, image_size)
    parts = outline(model, image_shape)
    setting = f"{num_classes} classes, images of {times(image_shape)}"
    total = sum(part.parameters for part in parts)
    rows = [
        (part.name, f"{part.count} × {part.what}" if part.count > 1 else part.what,
         times(part.output_shape), f"{part.parameters:,}" if part.parameters else "")
        for part in parts
    ]  # fmt: skip
    block = Block(
        columns=(*texts("from", "what"), *numbers("output", "parameters")),
        rows=(*rows, ("total", "", "", f"{total:,}")),
        row_styles={len(rows): "bold"},
        notes=(f"{setting}. A picture: --out FILE.png",),
    )
    document = {"model": architecture.model_dump(mode="json")} | _setting(num_classes, image_shape)
    document |= {"parameters": total, "parts": [asdict(part) for part in parts]}
    title = f"{name}: {total:,} parameters, {setting}"
    page = Page((block,), document, draw=lambda: _draw(title, rows, image_shape))
    present(page, as_json=as_json, out=out)


def _draw(title: str, rows: Sequence[Sequence[str]], image_shape: Sequence[int]) -> "Drawing":
    from ..figures.computational_graph import Box, draw_computational_graph

    boxes = [Box("image", times(image_shape), is_input=True)]
    for name, what, shape, parameters in rows:
        counted = f"{parameters} parameters" if parameters else "no parameters"
        boxes.append(Box(name, what, (shape, counted), is_output=len(boxes) == len(rows)))
    return draw_computational_graph(boxes, [(i, i + 1) for i in range(len(rows))], title)


@app.command()
def pretrained(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show its card: how it was made.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the trained models; pretrained:NAME is a checkpoint wherever one is asked."""
    from ..checkpoints.pretrained import find_card, list_named

    cards = list_named() if name is None else [find_card(name)]
    if name is None:
        rows = [(c.address, c.summary, percent(c.accuracy), c.facts["size"]) for c in cards]
        block = Block(
            columns=(*texts("name", "what it is"), *numbers("test accuracy", "size")),
            rows=tuple(rows),
            notes=(
                "Use one: cnn-train predict IMAGE --checkpoint pretrained:NAME. How it was made, "
                "and for what it is not: cnn-train models pretrained NAME",
            ),
        )
    else:
        block = paragraph(*cards[0].text.splitlines())
    present(Page((block,), {"pretrained": [card.to_json() for card in cards]}), as_json=as_json)


def _build(
    name: str, overrides: list[str] | None, num_classes: int, image_size: int
) -> "tuple[ArchitectureConfig, Module, tuple[int, int, int]]":
    """Return the settings, the network and the shape of its images."""
    import torch

    architecture = _load_architecture(name, overrides)
    image_shape = (IMAGE_CHANNELS, image_size, image_size)
    with torch.device("meta"):  # shapes only: no memory, no time
        return architecture, architecture.build(num_classes, image_shape), image_shape


def _load_architecture(name: str, overrides: list[str] | None) -> "ArchitectureConfig":
    """Return the settings of ``name`` with overrides such as ``model.depth=16``."""
    from ..config.spelling import nearest
    from ..models import ARCHITECTURES

    if name not in ARCHITECTURES:
        guess = nearest(name, ARCHITECTURES)
        hint = f"did you mean {guess!r}?" if guess else f"choose {', '.join(ARCHITECTURES)}"
        raise UsageError(f"there is no architecture {name!r}; {hint}")
    return load_settings(name, overrides, text=f"model: {{name: {name}}}").model


def _architecture_table(summaries: Sequence["ArchitectureSummary"], caption: str) -> Block:
    rows: list[tuple[str, ...]] = []
    above = None
    for summary in summaries:
        description = "″" if summary.description == above else summary.description
        above = summary.description
        rows.append((summary.name, description, f"{summary.parameters:,}", f"{summary.macs:,}"))
    return Block(
        columns=(*texts("name", "what it is"), *numbers("parameters", "MACs")),
        rows=tuple(rows),
        notes=(
            f"{caption}. Layer by layer: cnn-train models show NAME. Trained ones: cnn-train "
            "models pretrained",
        ),
    )


def _layer_table(
    layers: Sequence["LayerSummary"], parameters: int, macs: int, caption: str
) -> Block:
    rows = [
        (
            layer.name,
            layer.kind,
            times(layer.input_shape),
            times(layer.output_shape),
            _kernel(layer),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.macs:,}" if layer.macs else "",
            f"{layer.receptive_field_px} px",
        )
        for layer in layers
    ]
    names = ("input", "output", "kernel", "parameters", "MACs", "sees")
    return Block(
        columns=(*texts("layer", "kind"), *numbers(*names)),
        rows=(*rows, ("total", "", "", "", "", f"{parameters:,}", f"{macs:,}", "")),
        row_styles={len(rows): "bold"},
        first_to_go=("input", "sees", "kernel", "kind", "output"),
        notes=(
            f"{caption}. kernel: side×side, stride after /, padding after +. sees: side of the "
            "square of pixels that can reach one output unit; beyond the image it is padding.",
        ),
    )


def _describe(num_classes: int, image_shape: Sequence[int]) -> str:
    return f"{num_classes} classes, images of {times(image_shape)}; MACs: multiply-adds per image"


def _setting(num_classes: int, image_shape: Sequence[int]) -> dict[str, Any]:
    return {"num_classes": num_classes, "image_shape": list(image_shape)}


def _kernel(layer: "LayerSummary") -> str:
    """Write a window as ``3×3/2+1``: kernel, stride unless 1, padding unless 0."""
    if layer.kernel_px is None:
        return ""
    stride = layer.stride_px[0] if layer.stride_px else 1
    padding = layer.padding_px[0] if layer.padding_px else 0
    over, beyond = f"/{stride}" if stride > 1 else "", f"+{padding}" if padding else ""
    return times(layer.kernel_px) + over + beyond
