"""``cnn-train learn conv``: one number of a layer, worked out from the numbers that it reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ...page import Block, Page
from ..completion import complete_runs
from ..loading import open_model
from ..options import DeviceOption, JsonOption
from ..present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from ...inference.trained_model import TrainedModel


def conv(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A checkpoint, a run or pretrained:NAME. Default: a tiny network of whole numbers",
            autocompletion=complete_runs,
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option("--layer", help="As `models show` names it. Default: the first convolution."),
    ] = None,
    channel: Annotated[
        int | None, typer.Option("--channel", min=0, help="Of its output. Default: the strongest.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="ROW,COLUMN", help="Default: the channel's largest number."),
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--image", help="Image file. Default: an embedded drawing.")
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Work out one number of a layer: patch × filter + bias, and what comes next."""
    import torch

    from ...lecture.tiny_network import make_tiny_network
    from ...models.summary import trace_images
    from ...runs.directory import find_checkpoint
    from ...visualize.layers import default_layers, find_run
    from ...visualize.show_worked_unit import draw_unit, unit_blocks
    from ...visualize.worked_unit import strongest_place, work_out_run

    check_picture(out)
    model: Module
    if checkpoint is None:
        if image is not None:
            raise UsageError("--image: goes with a CHECKPOINT, whose network sees it")
        source, model, inputs_1CHW = "a tiny network", *make_tiny_network()
    else:
        path = find_checkpoint(checkpoint)
        trained = open_model(path, device, exact=True, layers_for="learn conv")
        model, source = (
            trained.model,
            f"{trained.config.model.name}, {image.name if image else 'an embedded drawing'}",
        )
        inputs_1CHW = _read_inputs(trained, image)
    with torch.no_grad():
        runs = trace_images(model, inputs_1CHW)
    run = find_run(runs, layer or default_layers(runs)[0])
    place = strongest_place(run, channel)
    if at is not None:
        place = (place[0], *_read_place(at))
    unit = work_out_run(runs, run, *place)
    title = f"{source}: {unit.layer}, channel {unit.channel}, row {unit.row}, column {unit.column}"
    page = Page(
        blocks=(Block(title), *unit_blocks(unit, run)),
        document={"checkpoint": checkpoint and str(checkpoint), "image": image and str(image)}
        | unit.to_json(),
        draw=lambda: draw_unit(title, unit, run),
    )
    present(page, as_json=as_json, out=out)


def _read_inputs(trained: "TrainedModel", image: Path | None) -> "Tensor":
    """Return the image, or a drawing, as the network gets it: 1CHW."""
    from ...data.dataset import DataAccess
    from ...data.shapes.dataset import ShapesConfig
    from ...visualize.request import Subjects

    reading = trained.reading()
    if image is not None:
        subjects = Subjects.load([image], reading)
    elif 16 <= reading.size_px <= 256:
        drawing = ShapesConfig(image_size=reading.size_px, num_train=20)
        subjects = Subjects.of(drawing.load_train(DataAccess(Path(), offline=True)), 1)
    else:
        raise UsageError(f"--image is missing: no drawing has a side of {reading.size_px} pixels")
    return trained.normalization(subjects.images_NCHW[:].to(trained.device.torch_device))


def _read_place(at: str) -> tuple[int, int]:
    row, comma, column = at.partition(",")
    if not (comma and row.strip().isdecimal() and column.strip().isdecimal()):
        raise UsageError(f"--at {at}: is no place; give a row and a column from 0, e.g. 3,17")
    return int(row), int(column)
