"""``cnn-train models``: which networks there are, and what one of them does layer by layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from .options import JsonOption, SetOption

if TYPE_CHECKING:
    from rich.table import Table

    from ..models.architecture import ArchitectureConfig
    from ..models.summary import ArchitectureSummary, LayerSummary

IMAGE_CHANNELS = 3
NUM_CLASSES, IMAGE_SIZE_PX = 10, 32  # CIFAR-10's, for which the literature counts parameters

FIRST_TO_GO = ("input", "sees", "kernel", "kind", "output")
"""Columns of the layer table that a narrow window does without, from the least missed on."""

app = typer.Typer(
    invoke_without_command=True, help="List the architectures, or show one layer by layer."
)


@app.callback()
def list_architectures(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the architectures, or show one layer by layer."""
    if context.invoked_subcommand is not None:
        return
    from dataclasses import asdict

    from .console import print_json, stdout

    image_shape = (IMAGE_CHANNELS, IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    summaries = _summarize_zoo(image_shape)
    if as_json:
        architectures = [asdict(summary) for summary in summaries]
        print_json(_setting(NUM_CLASSES, image_shape) | {"architectures": architectures})
        return
    stdout.print(_zoo_table(summaries, _describe(NUM_CLASSES, image_shape)))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An architecture of the list.")],
    overrides: SetOption = None,
    num_classes: Annotated[int, typer.Option(min=1, help="Number of scores.")] = NUM_CLASSES,
    image_size: Annotated[int, typer.Option(min=1, help="Side in pixels.")] = IMAGE_SIZE_PX,
    as_json: JsonOption = False,
) -> None:
    """Print every layer: shapes, kernel, parameters, work and receptive field."""
    from dataclasses import asdict

    import torch

    from ..models.summary import summarize
    from .console import fit_columns, print_json, stdout

    architecture = _load_architecture(name, overrides or ())
    image_shape = (IMAGE_CHANNELS, image_size, image_size)
    with torch.device("meta"):  # shapes only: no memory, no time
        model = architecture.build(num_classes, image_shape)
    layers = summarize(model, image_shape)
    if not as_json:
        table = _layer_table(layers, _describe(num_classes, image_shape))
        fit_columns(table, FIRST_TO_GO)
        stdout.print(table)
        return
    totals = {"parameters": _num_parameters(layers), "macs": _num_macs(layers)}
    document = {"model": architecture.model_dump(mode="json")}
    document |= _setting(num_classes, image_shape) | totals
    print_json(document | {"layers": [asdict(layer) for layer in layers]})


def _summarize_zoo(image_shape: tuple[int, int, int]) -> list["ArchitectureSummary"]:
    from ..models import ARCHITECTURES
    from ..models.summary import summarize_architecture
    from .console import progress

    summaries = []
    with progress("Measuring the architectures", len(ARCHITECTURES)) as advance:
        for name in ARCHITECTURES:
            summaries.append(summarize_architecture(name, NUM_CLASSES, image_shape))
            advance(1)
    return summaries


def _load_architecture(name: str, overrides: Sequence[str]) -> "ArchitectureConfig":
    """Return the settings of ``name`` with overrides such as ``model.depth=16``."""
    from ..config.known_keys import nearest
    from ..config.loading import load_experiment
    from ..experiment import ExperimentConfig
    from ..models import ARCHITECTURES

    if name not in ARCHITECTURES:
        guess = nearest(name, ARCHITECTURES)
        hint = f"did you mean {guess!r}?" if guess else f"choose {', '.join(ARCHITECTURES)}"
        raise UsageError(f"models show: there is no architecture {name!r}; {hint}")
    text = f"model: {{name: {name}}}"
    return load_experiment(name, overrides, ExperimentConfig, text=text).model


def _zoo_table(summaries: Sequence["ArchitectureSummary"], caption: str) -> "Table":
    table = _make_table("name", "what it is", numbers=("parameters", "MACs"))
    above = None
    for summary in summaries:
        description = "″" if summary.description == above else summary.description
        above = summary.description
        table.add_row(summary.name, description, f"{summary.parameters:,}", f"{summary.macs:,}")
    table.caption = f"{caption}. Layer by layer: cnn-train models show NAME"
    return table


def _layer_table(layers: Sequence["LayerSummary"], caption: str) -> "Table":
    table = _make_table(
        "layer",
        "kind",
        numbers=("input", "output", "kernel", "parameters", "MACs", "sees"),
    )
    for layer in layers:
        table.add_row(
            layer.name,
            layer.kind,
            _times(layer.input_shape),
            _times(layer.output_shape),
            _kernel(layer),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.macs:,}" if layer.macs else "",
            f"{layer.receptive_field_px} px",
        )
    table.add_section()
    total_parameters, total_macs = f"{_num_parameters(layers):,}", f"{_num_macs(layers):,}"
    table.add_row("total", "", "", "", "", total_parameters, total_macs, "", style="bold")
    table.caption = (
        f"{caption}. kernel: side×side, stride after /, padding after +. sees: side of the square "
        "of pixels that can reach one output unit; beyond the image it is padding."
    )
    return table


def _make_table(*texts: str, numbers: Sequence[str]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", caption_justify="left")
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _describe(num_classes: int, image_shape: Sequence[int]) -> str:
    return f"{num_classes} classes, images of {_times(image_shape)}; MACs: multiply-adds per image"


def _setting(num_classes: int, image_shape: Sequence[int]) -> dict[str, Any]:
    return {"num_classes": num_classes, "image_shape": list(image_shape)}


def _num_parameters(layers: Sequence["LayerSummary"]) -> int:
    return sum(layer.parameters for layer in layers)


def _num_macs(layers: Sequence["LayerSummary"]) -> int:
    return sum(layer.macs for layer in layers)


def _times(sizes: Sequence[int]) -> str:
    return "×".join(str(size) for size in sizes)


def _kernel(layer: "LayerSummary") -> str:
    """Write a window as ``3×3/2+1``: kernel, stride unless 1, padding unless 0."""
    if layer.kernel_px is None:
        return ""
    stride = layer.stride_px[0] if layer.stride_px else 1
    padding = layer.padding_px[0] if layer.padding_px else 0
    return (
        _times(layer.kernel_px)
        + (f"/{stride}" if stride > 1 else "")
        + (f"+{padding}" if padding else "")
    )
