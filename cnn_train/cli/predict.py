"""``cnn-train predict``: what a trained model says about image files."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError
from ..page import Page
from .completion import complete_runs
from .console import error, notice, progress
from .loading import choose_checkpoint, open_model
from .options import DeviceOption, JsonOption, RunRootOption
from .present import check_picture, check_table, present

if TYPE_CHECKING:
    from ..figures.style import Drawing
    from ..inference.predict import Prediction

MOST_IMAGES_IN_A_FIGURE = 30


def predict(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Image files, folders or glob patterns.")
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            help="A checkpoint, run or pretrained:NAME. Default: the latest run's best, or a "
            "pretrained one.",
            autocompletion=complete_runs,
        ),
    ] = None,
    run_root: RunRootOption = Path("runs"),
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Classes per image.")] = 5,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a row per image; - for stdout alone."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PNG", help="Draw what the network saw and its answer."),
    ] = None,
) -> None:
    """Predict the class of images; bad files are named, and the others are still predicted."""
    from ..inference.predict import list_answers, predict_files
    from .display.prediction import describe_predictions

    check_picture(out)
    check_table(csv, as_json=as_json)
    path = choose_checkpoint(checkpoint, run_root)
    trained = open_model(path, device)
    predictions, errors = predict_files(trained, images, top_k=top_k, progress=progress)
    document = {
        "checkpoint": str(path),
        "predictions": [prediction.to_json() for prediction in predictions],
        "errors": [{"path": failure.path, "message": failure.message} for failure in errors],
    }
    for failure in errors:
        error(failure.message)
    draw = partial(_draw, predictions, trained.config.model.name)
    table = partial(list_answers, predictions, errors)
    page = Page(describe_predictions(predictions), document, draw, table)
    present(page, as_json=as_json, out=out if predictions else None, csv=csv)
    if errors:
        raise typer.Exit(DataError.exit_code)


def _draw(predictions: "list[Prediction]", model_name: str) -> "Drawing":
    """Draw the first predictions."""
    from ..figures.predictions import PredictionPanel, draw_predictions

    drawn = predictions[:MOST_IMAGES_IN_A_FIGURE]
    if len(drawn) < len(predictions):
        notice(f"drawing the first {len(drawn)} of {len(predictions):,} images")
    panels = [
        PredictionPanel(
            image_CHW=prediction.image_CHW,
            name=prediction.path,
            labels=tuple(c.label for c in prediction.top),
            values=tuple(
                c.score if c.probability is None else c.probability for c in prediction.top
            ),
        )
        for prediction in drawn
    ]
    probabilities = drawn[0].top[0].probability is not None
    return draw_predictions(
        panels, probabilities=probabilities, title=f"Predictions of {model_name}"
    )
