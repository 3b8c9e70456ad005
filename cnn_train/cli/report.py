"""``cnn-train report``: a run in one HTML file, to read, to print or to send."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import progress, say
from .loading import make_data_access, open_model
from .options import CheckpointArgument, DataDirOption, DataRootOption, DeviceOption, OfflineOption

if TYPE_CHECKING:
    from ..evaluation.evaluate import Evaluation
    from ..evaluation.slices import SliceReport
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
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {out}: a report is an .html file; change the ending")
    trained = open_model(path, device)
    images = load_split(trained, "val", make_data_access(data_dir, offline), data_root)
    measure = evaluate_slices if slices else evaluate
    result: Evaluation | SliceReport = measure(trained, images, split="val", progress=progress)
    write_report(result, path, trained, out)
    say(out)


def write_report(
    result: "Evaluation | SliceReport", checkpoint: Path, trained: "TrainedModel", out: Path
) -> None:
    """Write the report of an evaluation, with all that the checkpoint tells of its run."""
    from ..machine.atomic_file import write_atomically
    from .display.html import render_html

    run = checkpoint.parent.name or checkpoint.name
    title = f"{trained.config.model.name}: {run}"
    html = render_html(title, list_sections(result, checkpoint, trained))
    write_atomically(out, html.encode())


def list_sections(
    result: "Evaluation | SliceReport", checkpoint: Path, trained: "TrainedModel"
) -> "list[Section]":
    """Return the parts of a report in the order of interest."""
    from ..checkpoints.checkpoint import open_checkpoint
    from ..config.explain import render_yaml
    from ..evaluation.advice import what_next
    from ..evaluation.report import draw_evaluation
    from ..evaluation.slices import SliceReport
    from ..figures.learning_curves import draw_learning_curves
    from .display.checkpoint import checkpoint_page
    from .display.evaluation import evaluation_page
    from .display.html import Section

    file, config = open_checkpoint(checkpoint), trained.config
    records, name = file.checkpoint.records, config.model.name
    evaluation = result.clean if isinstance(result, SliceReport) else result
    margin = getattr(config.loss, "margin", None)
    figures = draw_evaluation(evaluation, model_name=name, required_margin=margin)
    curves = (("learning curves", draw_learning_curves(records, name)),) if records else ()
    return [
        Section("Result", evaluation_page(evaluation, checkpoint, name).blocks),
        Section("What to try next", points=tuple(what_next(records, config.epochs, evaluation))),
        *([Section("Learning curves", figures=curves)] if curves else []),
        *(_slice_sections(result, checkpoint, name) if isinstance(result, SliceReport) else []),
        *(Section(part.capitalize(), figures=((part, figures[part]),)) for part in figures),
        Section("The checkpoint and its machine", checkpoint_page(file, config).blocks),
        Section("Config", text=render_yaml(config)),
    ]


def _slice_sections(report: "SliceReport", checkpoint: Path, name: str) -> "list[Section]":
    from ..evaluation.report import draw_slice_report
    from .display.html import Section
    from .display.slices import slices_page

    figures = tuple(draw_slice_report(report, model_name=name).items())
    return [Section("Harder images", slices_page(report, checkpoint, name).blocks, figures=figures)]
