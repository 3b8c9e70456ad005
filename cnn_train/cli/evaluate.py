"""``cnn-train evaluate``: how good a checkpoint is on labelled images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import UsageError
from .console import notice, progress, warn
from .display.evaluation import evaluation_page
from .display.slices import slices_page
from .loading import make_data_access, open_model
from .options import (
    CheckpointArgument,
    DataDirOption,
    DataRootOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    Split,
    VerifyDataOption,
)
from .present import present

if TYPE_CHECKING:
    from ..data.image_set import ImageSet
    from ..evaluation.evaluate import Evaluation
    from ..inference.trained_model import TrainedModel


def evaluate(
    checkpoint: CheckpointArgument,
    split: Annotated[Split, typer.Option("--split", help="The images to measure.")] = "test",
    data_root: DataRootOption = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    verify_data: VerifyDataOption = False,
    tta: Annotated[
        Literal["none", "flip", "flip_translate"],
        typer.Option("--tta", help="Average scores over mirrored and shifted views."),
    ] = "none",
    tta_share: Annotated[
        float, typer.Option("--tta-share", help="Views only for this share, the least confident.")
    ] = 1.0,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Images per forward pass.")
    ] = 512,
    slices: Annotated[
        bool,
        typer.Option(
            "--slices", help="Accuracy under shifts, other light, occlusion …, by severity."
        ),
    ] = False,
    severities: Annotated[
        str, typer.Option("--severities", help="For --slices: a range or a list up to 5.")
    ] = "0-5",
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="For --slices: of the changes made to images.")
    ] = 0,
    corruptions: Annotated[
        Path | None,
        typer.Option(
            "--corruptions", metavar="DIR", help="Measure on CIFAR-10-C or CIFAR-10.1 (.npy) too."
        ),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write figures and JSON to here; for slices also a .png or .svg file.",
        ),
    ] = None,
) -> None:
    """Measure a model: accuracy with its interval, every class, calibration, mistakes."""
    from ..data.twins import describe_seen
    from ..evaluation.evaluate import evaluate as measure
    from ..evaluation.evaluate import load_split
    from ..inference.views import check_share
    from ..runs.directory import find_checkpoint

    check_share(tta, tta_share)
    path = find_checkpoint(checkpoint)
    wanted = _plan_slices(slices, severities, corruptions, out)
    trained = open_model(path, device)
    access = make_data_access(data_dir, offline, verify=verify_data)
    images = load_split(trained, split, access, data_root)
    if split != "train":
        for doubt in describe_seen(images, trained.training_images, split):
            warn(doubt)
    scoring: dict[str, Any] = {"split": split, "batch_size": batch_size, "progress": progress}
    scoring |= {"tta": tta, "tta_share": tta_share}
    if wanted is not None:
        _report_slices(trained, images, wanted | scoring | {"seed": seed}, path, as_json, out)
        return
    evaluation = measure(trained, images, **scoring)
    present(evaluation_page(evaluation, path, trained.config.model.name), as_json=as_json)
    if out is not None:
        _save(evaluation, out, path, trained)


def _plan_slices(
    slices: bool, severities: str, corruptions: Path | None, out: Path | None
) -> dict[str, Any] | None:
    """Check what slices are wanted before anything slow begins; None: none are."""
    from ..data.challenges import CHALLENGES
    from ..data.cifar10.harder_tests import find_harder_tests
    from ..evaluation.slices import parse_severities
    from ..figures.saving import check_figure_path, is_picture_name

    levels, is_picture = parse_severities(severities), out is not None and is_picture_name(out)
    if not slices and corruptions is None:
        if is_picture:
            raise UsageError(f"--out {out}: the report is several files; name a directory")
        return None
    if out is not None and is_picture:
        check_figure_path(out)
    return {
        "severities": levels,
        "challenges": tuple(CHALLENGES) if slices else (),
        "harder_tests": find_harder_tests(corruptions) if corruptions else [],
    }


def _report_slices(
    trained: "TrainedModel",
    images: "ImageSet",
    settings: dict[str, Any],
    checkpoint: Path,
    as_json: bool,
    out: Path | None,
) -> None:
    """Measure the slices, show them and write their files."""
    from ..evaluation.report import save_slices
    from ..evaluation.slices import evaluate_slices

    report = evaluate_slices(trained, images, **settings)
    model_name = trained.config.model.name
    present(slices_page(report, checkpoint, model_name), as_json=as_json)
    if out is not None:
        written = save_slices(
            report, out, checkpoint=checkpoint, model_name=model_name, notice=notice
        )
        notice(f"wrote {', '.join(str(path) for path in written)}")


def _save(evaluation: "Evaluation", out: Path, checkpoint: Path, trained: "TrainedModel") -> None:
    """Write the report's files and name them on stderr."""
    from ..evaluation.report import save_report

    loss = trained.config.loss
    if not loss.gives_probabilities:
        notice(f"no calibration.png: {loss.name} scores are not probabilities; see margins.png")
    written = save_report(
        evaluation,
        out,
        checkpoint=checkpoint,
        model_name=trained.config.model.name,
        required_margin=getattr(loss, "margin", None),
        notice=notice,
    )
    notice(f"wrote {', '.join(str(path) for path in written)}")
