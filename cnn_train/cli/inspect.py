"""``cnn-train inspect``: an image as the computer sees it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..page import Page
from .console import stdout
from .options import JsonOption
from .present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from ..figures.style import Drawing
    from ..lecture.pixels import Inspection


def inspect(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.")],
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Every number that the network sees.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="A checkpoint or run, whose network is meant."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", min=1, max=1024, help="Side of the network's images; default 32."),
    ] = None,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Show an image as numbers: its shape and range, and what a network sees of it."""
    from ..data.images.square import Reading
    from ..lecture.pixels import inspect_image
    from .display.inspection import describe_inspection

    if checkpoint is not None and size is not None:
        raise UsageError("--size: a checkpoint has a size of its own; leave one of them out")
    check_picture(out)
    if checkpoint is None:
        inspection = inspect_image(image, Reading(size or 32))
    else:
        from ..inference.trained_model import load_trained_model
        from ..runs.directory import find_checkpoint

        trained = load_trained_model(find_checkpoint(checkpoint), "cpu")
        inspection = inspect_image(image, trained.reading(), normalization=trained.normalization)
    page = Page(
        blocks=tuple(
            describe_inspection(inspection, with_pixels=pixels and not as_json, window=stdout.width)
        ),
        document=inspection.to_json(with_pixels=pixels),
        draw=lambda: _draw(inspection),
    )
    present(page, as_json=as_json, out=out)


def _draw(inspection: "Inspection") -> "Drawing":
    from ..figures.pixels import draw_pixels

    title = f"What the computer sees: {Path(inspection.path).name}"
    return draw_pixels(inspection.image_CHW, inspection.seen_CHW, title=title)
