"""``cnn-train inspect``: an image as the computer sees it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import JsonOption

if TYPE_CHECKING:
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
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Draw it: .png or .svg."),
    ] = None,
) -> None:
    """Show an image as numbers: its shape and range, and what a network sees of it."""
    from ..errors import UsageError
    from ..lecture.pixels import inspect_image
    from .console import print_json
    from .display.inspection import show_inspection

    if checkpoint is not None and size is not None:
        raise UsageError("--size: a checkpoint has a size of its own; leave one of them out")
    if out is not None:
        from ..figures.saving import check_figure_path

        check_figure_path(out)
    if checkpoint is None:
        inspection = inspect_image(image, size_px=size or 32)
    else:
        inspection = _inspect_for(checkpoint, image)
    if as_json:
        print_json(inspection.to_json(with_pixels=pixels))
    else:
        show_inspection(inspection, with_pixels=pixels)
    if out is not None:
        _save_figure(inspection, out)


def _inspect_for(checkpoint: Path, image: Path) -> "Inspection":
    """Look at the image with the size and the normalisation of a checkpoint."""
    from ..inference.trained_model import load_trained_model
    from ..lecture.pixels import inspect_image
    from ..runs.directory import find_checkpoint

    trained = load_trained_model(find_checkpoint(checkpoint), "cpu")
    return inspect_image(image, size_px=trained.file_side_px(), normalization=trained.normalization)


def _save_figure(inspection: "Inspection", out: Path) -> None:
    from ..figures.pixels import draw_pixels
    from ..figures.saving import save_figure
    from .console import notice

    title = f"What the computer sees: {Path(inspection.path).name}"
    save_figure(draw_pixels(inspection.image_CHW, inspection.seen_CHW, title=title), out)
    notice(f"wrote {out}")
