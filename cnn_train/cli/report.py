"""``cnn-train report``: a run in one HTML file, to read, to print or to send."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CheckpointError, UsageError
from ..machine.atomic_file import check_writable
from .console import progress, say
from .loading import make_data_access, open_model
from .options import CheckpointArgument, DataDirOption, DataRootOption, DeviceOption, OfflineOption
from .present import is_html

if TYPE_CHECKING:
    from ..checkpoints.schema import Record
    from ..evaluation.evaluate import Evaluation
    from ..evaluation.slices import SliceReport
    from ..figures.style import Drawing
    from ..inference.trained_model import TrainedModel
    from .display.html import Section


def report(
    checkpoint: CheckpointArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="The .html file. Default: beside the checkpoint."
        ),
    ] = None,
    slices: Annotated[
        bool, typer.Option("--slices", help="With the accuracy under shifts, other light …")
    ] = False,
    data_root: DataRootOption = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Write a run's report: results on its validation images, curves, mistakes, what to try."""
    from ..evaluation.evaluate import evaluate, load_split
    from ..evaluation.slices import evaluate_slices
    from ..runs.directory import find_checkpoint

    path = find_checkpoint(checkpoint)
    out = out or path.with_name("report.html")
    if not is_html(out):
        raise UsageError(f"--out {out}: a report is an .html file; change the ending")
    check_writable(out)
    trained = open_model(path, device)
    images = load_split(trained, "val", make_data_access(data_dir, offline), data_root)
    measure = evaluate_slices if slices else evaluate
    result: Evaluation | SliceReport = measure(trained, images, split="val", progress=progress)
    write_report(result, path, trained, out)
    say(out)


def write_report(
    result: "Evaluation | SliceReport",
    checkpoint: Path,
    trained: "TrainedModel",
    out: Path,
    saved: "Mapping[str, Path] | None" = None,
) -> None:
    """Write the report of an evaluation, with all that the checkpoint tells of its run.

    saved: the result's own figures by name, where they are in files already.
    """
    from ..runs.history import run_folder
    from .display.html import save_html

    run = run_folder(checkpoint).name or checkpoint.name
    title = f"{trained.config.model.name}: {run}"
    save_html(out, title, list_sections(result, checkpoint, trained, saved or {}))


def list_sections(
    result: "Evaluation | SliceReport",
    checkpoint: Path,
    trained: "TrainedModel",
    saved: "Mapping[str, Path]",
) -> "list[Section]":
    """Return the parts of a report in the order of interest; an exported file tells less."""
    from ..checkpoints.checkpoint import open_checkpoint
    from ..config.explain import render_yaml
    from ..evaluation.advice import what_next
    from ..evaluation.report import draw_evaluation
    from ..evaluation.slices import SliceReport
    from ..figures.learning_curves import draw_learning_curves
    from ..inference.trained_model import ONNX
    from ..runs.branch import departure
    from ..runs.directory import RunDirectory
    from ..runs.history import run_folder
    from .display.checkpoint import checkpoint_page
    from .display.evaluation import evaluation_page
    from .display.html import Section

    config, name = trained.config, trained.config.model.name
    file = None if checkpoint.suffix == ONNX else open_checkpoint(checkpoint)
    own = file.checkpoint.records if file else []
    known = run_records(checkpoint, own)
    goes_on = known and config.stop.reason(known, config.epochs) is None
    records, epochs = known or own, config.epochs if goes_on else len(known)
    evaluation = result.clean if isinstance(result, SliceReport) else result
    margin, about = getattr(config.loss, "margin", None), "The checkpoint and its machine"
    drawn_evaluation = draw_evaluation(evaluation, model_name=name, required_margin=margin)
    figures = _or_saved(drawn_evaluation, saved)
    left_at = departure(RunDirectory(run_folder(checkpoint))) if known else None
    drawn = draw_learning_curves(records, name, left_at) if records else None
    curves = (("learning curves", drawn),) if drawn else ()
    return [
        Section("Result", evaluation_page(evaluation, checkpoint, name).blocks),
        Section("What to try next", points=tuple(what_next(records, epochs, evaluation))),
        *([Section("Learning curves", figures=curves)] if curves else []),
        *(
            _slice_sections(result, checkpoint, name, saved)
            if isinstance(result, SliceReport)
            else []
        ),
        *(Section(part.capitalize(), figures=((part, figures[part]),)) for part in figures),
        *([Section(about, checkpoint_page(file, config).blocks)] if file else []),
        Section("Config", text=render_yaml(config)),
    ]


def _or_saved(
    figures: "Mapping[str, Drawing]", saved: "Mapping[str, Path]"
) -> "dict[str, Drawing | Path]":
    """Take in place of figures that show images, the slowest to render, those saved as PNG."""
    from ..figures.saving import shows_images

    return {
        name: saved[name] if name in saved and shows_images(figure) else figure
        for name, figure in figures.items()
    }


def run_records(checkpoint: Path, own: "list[Record]") -> "list[Record]":
    """Return the records of the run that a checkpoint lies in: it holds only those before it."""
    from ..runs.directory import RunDirectory
    from ..runs.history import run_folder

    with suppress(CheckpointError):  # where they are damaged, its own have to do
        records = RunDirectory(run_folder(checkpoint)).load_metrics()
        if own and records[: len(own)] == own:
            return records
    return []


def _slice_sections(
    report: "SliceReport", checkpoint: Path, name: str, saved: "Mapping[str, Path]"
) -> "list[Section]":
    from ..evaluation.report import draw_slice_report
    from .display.html import Section
    from .display.slices import slices_page

    figures = _or_saved(draw_slice_report(report, model_name=name), saved)
    blocks = slices_page(report, checkpoint, name).blocks
    return [Section("Harder images", blocks, figures=tuple(figures.items()))]
