"""``cnn-train evaluate``: how good a checkpoint is on labelled images."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    DataDirOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    Split,
    VerifyDataOption,
)

if TYPE_CHECKING:
    from ..evaluate import Evaluation
    from ..trained_model import TrainedModel


class Views(StrEnum):
    """The views of each image that scores are averaged over."""

    none = "none"
    flip = "flip"
    flip_translate = "flip_translate"


def evaluate(
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="A checkpoint, or a run directory for its best."),
    ],
    split: Annotated[Split, typer.Option("--split", help="The images to measure.")] = Split.test,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", help="Where the dataset's own images lie, if they moved."),
    ] = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    verify_data: VerifyDataOption = False,
    tta: Annotated[
        Views, typer.Option("--tta", help="Average scores over mirrored and shifted views.")
    ] = Views.none,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Images per forward pass.")
    ] = 512,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write figures and JSON to here.")
    ] = None,
) -> None:
    """Measure a model: accuracy with its interval, every class, calibration, mistakes."""
    from ..evaluate import evaluate as measure
    from ..evaluate import load_split
    from ..run_directory import find_checkpoint
    from ..trained_model import load_trained_model
    from .console import notice, print_json, progress
    from .data_access import make_data_access
    from .evaluation_display import show_evaluation

    path = find_checkpoint(checkpoint)
    trained = load_trained_model(path, device)
    where = trained.device
    notice(f"{path} on {where.torch_device} ({where.reason}), {trained.precision.name}")
    access = make_data_access(data_dir, offline, verify=verify_data)
    images = load_split(trained, split.value, access, data_root)
    evaluation = measure(
        trained,
        images,
        split=split.value,
        batch_size=batch_size,
        tta=tta.value,
        progress=progress,
    )
    if as_json:
        print_json(evaluation.to_json(path))
    else:
        show_evaluation(evaluation, trained.config.model.name)
    if out is not None:
        _save(evaluation, out, path, trained)


def _save(evaluation: "Evaluation", out: Path, checkpoint: Path, trained: "TrainedModel") -> None:
    """Write the report's files and name them on stderr."""
    from ..evaluation_report import save_report
    from .console import notice

    loss = trained.config.loss
    if not loss.gives_probabilities:
        notice(f"no calibration.png: {loss.name} scores are not probabilities; see margins.png")
    written = save_report(
        evaluation,
        out,
        checkpoint=checkpoint,
        model_name=trained.config.model.name,
        required_margin=getattr(loss, "margin", None),
    )
    notice(f"wrote {', '.join(str(path) for path in written)}")
