"""``cnn-train evaluate``: how good a checkpoint is on labelled images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import UsageError
from .against import add_rival
from .completion import complete_runs
from .console import notice, progress, warn
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
from .present import check_table, present

if TYPE_CHECKING:
    from ..evaluation.evaluate import Evaluation
    from ..evaluation.slices import SliceReport
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
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="FILE",
            help="Write a CSV row per image: true and predicted class, scores; - for stdout alone.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="CHECKPOINT",
            help="Is this other model better? A paired test on the same images.",
            autocompletion=complete_runs,
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
    from ..evaluation.one_sided import describe_one_sidedness
    from ..evaluation.slices import evaluate_slices
    from ..inference.views import check_share
    from ..runs.directory import find_checkpoint
    from .display.evaluation import evaluation_page
    from .display.slices import slices_page

    check_share(tta, tta_share)
    check_table(predictions, as_json=as_json)
    path = find_checkpoint(checkpoint)
    if against is not None and (slices or corruptions):
        raise UsageError("--against compares on the images as they are; leave --slices out")
    wanted = _plan_slices(slices, severities, corruptions, out)
    layers_for = "evaluate --slices" if slices else None
    trained = open_model(path, device, layers_for=layers_for)
    rival_path = find_checkpoint(against) if against else None
    rival = open_model(rival_path, device) if rival_path else None  # a mistake in it is told now
    access = make_data_access(data_dir, offline, verify=verify_data)
    images = load_split(trained, split, access, data_root)
    if split != "train":
        for doubt in describe_seen(images, trained.training_images, split):
            warn(doubt)
    scoring: dict[str, Any] = {"split": split, "batch_size": batch_size, "progress": progress}
    scoring |= {"tta": tta, "tta_share": tta_share}
    result: Evaluation | SliceReport
    if wanted is None:
        result = measure(trained, images, **scoring)
        page = evaluation_page(result, path, trained.config.model.name)
        for doubt in describe_one_sidedness(result):
            warn(doubt)
        if rival and rival_path:
            page = add_rival(page, result, trained, rival_path, rival, access, data_root, **scoring)
    else:
        result = evaluate_slices(trained, images, seed=seed, **wanted, **scoring)
        page = slices_page(result, path, trained.config.model.name)
    present(page, as_json=as_json, csv=predictions)
    if out is not None:
        _save(result, out, path, trained)


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


def _save(
    result: "Evaluation | SliceReport", out: Path, checkpoint: Path, trained: "TrainedModel"
) -> None:
    """Write the result's files and name them on stderr."""
    from ..evaluation.report import save_report, save_slices
    from ..evaluation.slices import SliceReport
    from .report import write_report

    name, loss = trained.config.model.name, trained.config.loss
    if isinstance(result, SliceReport):
        written = save_slices(result, out, checkpoint=checkpoint, model_name=name, notice=notice)
    else:
        if not loss.gives_probabilities:
            notice(f"no calibration.png: {loss.name} scores are not probabilities; see margins.png")
        written = save_report(
            result,
            out,
            checkpoint=checkpoint,
            model_name=name,
            required_margin=getattr(loss, "margin", None),
            notice=notice,
        )
    if out.is_dir():
        saved = {path.stem: path for path in written if path.suffix == ".png"}
        write_report(result, checkpoint, trained, out / "report.html", saved)
        written.append(out / "report.html")
    notice(f"wrote {', '.join(map(str, written))}")
