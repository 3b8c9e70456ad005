"""``cnn-train predict``: what a trained model says about image files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import DeviceOption, JsonOption, RunRootOption

if TYPE_CHECKING:
    from ..inference.predict import Prediction

MOST_IMAGES_IN_A_FIGURE = 30


def predict(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Image files, folders or glob patterns."),
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="A checkpoint or run. Default: the latest run's best."),
    ] = None,
    run_root: RunRootOption = Path("runs"),
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Classes per image.")] = 5,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PNG", help="Draw what the network saw and its answer."),
    ] = None,
) -> None:
    """Predict the class of images; bad files are named, and the others are still predicted."""
    from ..errors import DataError
    from ..inference.predict import predict_files
    from ..inference.trained_model import load_trained_model
    from ..runs.directory import find_checkpoint, latest_best_checkpoint
    from .console import error, notice, print_json, progress
    from .display.prediction import show_predictions

    if out is not None:
        from ..figures.saving import check_figure_path

        check_figure_path(out)
    path = find_checkpoint(checkpoint) if checkpoint else latest_best_checkpoint(run_root)
    trained = load_trained_model(path, device)
    where = trained.device
    notice(f"{path} on {where.torch_device} ({where.reason}), {trained.precision.name}")
    predictions, errors = predict_files(trained, images, top_k=top_k, progress=progress)
    if as_json:
        failures = [{"path": one.path, "message": one.message} for one in errors]
        entries = [prediction.to_json() for prediction in predictions]
        print_json({"checkpoint": str(path), "predictions": entries, "errors": failures})
    else:
        show_predictions(predictions)
    for failure in errors:
        error(failure.message)
    if out is not None and predictions:
        _save_figure(predictions, out, trained.config.model.name)
    if errors:
        raise typer.Exit(DataError.exit_code)


def _save_figure(predictions: "list[Prediction]", out: Path, model_name: str) -> None:
    """Draw the first predictions into one file and name it on stderr."""
    from ..figures.predictions import PredictionPanel, draw_predictions
    from ..figures.saving import save_figure
    from .console import notice

    drawn = predictions[:MOST_IMAGES_IN_A_FIGURE]
    panels = [
        PredictionPanel(
            image_CHW=one.image_CHW,
            name=one.path,
            labels=tuple(c.label for c in one.top),
            values=tuple(c.score if c.probability is None else c.probability for c in one.top),
        )
        for one in drawn
    ]
    probabilities = drawn[0].top[0].probability is not None
    title = f"Predictions of {model_name}"
    save_figure(draw_predictions(panels, probabilities=probabilities, title=title), out)
    rest = "" if len(drawn) == len(predictions) else f" (the first {len(drawn)} images)"
    notice(f"wrote {out}{rest}")
