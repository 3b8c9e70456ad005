"""``cnn-train export``: a model for other programs, written only where they score as we do."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError, counted
from .console import notice
from .loading import make_data_access
from .options import (
    CheckpointArgument,
    DataDirOption,
    DataRootOption,
    ForceOption,
    JsonOption,
    require_free,
)
from .present import present

if TYPE_CHECKING:
    from torch import Tensor

    from ..inference.trained_model import TrainedModel


def export(
    checkpoint: CheckpointArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format", help="onnx (FILE.onnx), torch-export (.pt2) or safetensors (weights only)."
        ),
    ] = "onnx",
    force: ForceOption = False,
    num_images: Annotated[
        int, typer.Option("--num-images", min=1, help="Validation images to compare the scores of.")
    ] = 100,
    data_root: DataRootOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a model for other programs (ONNX …), if the new file scores as the checkpoint does."""
    from ..checkpoints.checkpoint import open_checkpoint
    from ..inference.export import Exportable, choose_format, export_model
    from ..runs.directory import find_checkpoint
    from .display.export import export_page

    chosen = choose_format(format_name, out)
    require_free(out, force)
    model = Exportable.of(open_checkpoint(find_checkpoint(checkpoint)))
    images_NCHW, origin = _choose_images(model.trained, num_images, data_dir, data_root)
    notice(f"writing {out}, then comparing the scores of {origin} …")
    found = export_model(model, chosen, images_NCHW, out)
    present(export_page(out, format_name, model, origin, found), as_json=as_json)
    if format_name == "onnx":
        notice(f"use it with: cnn-train predict IMAGE --checkpoint {shlex.quote(str(out))}")


def _choose_images(
    trained: "TrainedModel", number: int, data_dir: Path | None, data_root: Path | None
) -> "tuple[Tensor, str]":
    """Return images to compare scores of, and which they are in words; nothing is downloaded.

    They are spread over the validation split. Where that is not found, or has less than the largest
    of the minibatches, generated images take the places.
    """
    import torch

    from ..data.image_set import spread_evenly
    from ..evaluation.evaluate import check_fit, load_split
    from ..inference.export import BATCH_SIZES, generate_images

    images_NCHW = torch.empty(0, *trained.image_shape, dtype=torch.uint8)
    try:
        split = load_split(trained, "val", make_data_access(data_dir, offline=True), data_root)
        check_fit(trained, split, "val")
    except DataError as problem:
        if data_root is not None:
            raise
        notice(f"no validation images: {problem}")
    else:
        images_NCHW = split.images_NCHW[spread_evenly(len(split), number)]
    num_missing = max(max(BATCH_SIZES) - len(images_NCHW), 0)
    drawn_NCHW = generate_images(trained.image_shape, num_missing)
    counts = {"validation": len(images_NCHW), "generated": num_missing}
    words = [counted(count, f"{kind} image") for kind, count in counts.items() if count]
    return torch.cat([images_NCHW, drawn_NCHW]), " and ".join(words)
