"""``cnn-train learn loss``: hinge and cross-entropy, worked out term by term."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...errors import UsageError
from ...page import Page
from ..console import notice
from ..loading import load_settings, make_data_access
from ..options import DataDirOption, DeviceOption, JsonOption, OfflineOption, SetOption
from ..present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from torch import Tensor

    from ...data.dataset import DataAccess
    from ...data.image_set import Pixels
    from ...inference.trained_model import TrainedModel

LossName = Literal["hinge", "cross_entropy"]
LearningSplit = Literal["train", "val"]

NUM_IMAGES = 3
LARGEST_SCORE = 1e300
"""Differences of larger scores may not be floats."""


@dataclass(frozen=True)
class Scored:
    """Scores NK, labels N, what classes and examples are called, and images where there are any."""

    scores_NK: "Tensor"
    labels_N: "Tensor"
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    images_NCHW: "Pixels | None" = None


def loss(
    name: Annotated[LossName, typer.Argument(metavar="hinge|cross_entropy", help="The loss.")],
    scores: Annotated[
        list[str] | None,
        typer.Option("--scores", help='One example\'s scores, e.g. "3.2 5.1 -1.7"; repeatable.'),
    ] = None,
    labels: Annotated[
        list[int] | None,
        typer.Option("--label", help="The example's class, counted from 0; one for each --scores."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="A checkpoint or run, to score images of its dataset."),
    ] = None,
    images: Annotated[
        int | None,
        typer.Option("--images", min=1, help="Images to score, evenly spaced. Default: 3."),
    ] = None,
    split: Annotated[
        LearningSplit | None,
        typer.Option("--split", help="The split to take images from, never test. Default: val."),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", help="Where the dataset's images are now, if they moved."),
    ] = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    device: DeviceOption = "auto",
    overrides: SetOption = None,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Work out a loss term by term: on the slide, on your scores, on a model's images."""
    from ...inference.trained_model import load_trained_model
    from ...lecture.worked_loss import work_out
    from ...runs.directory import find_checkpoint
    from .loss_display import draw_loss, loss_blocks

    check_picture(out)
    _refuse_settings_of_others(overrides or ())
    trained = None
    if checkpoint is None:
        given = {"--images": images, "--split": split, "--data-root": data_root}
        if alone := [option for option, value in given.items() if value is not None]:
            raise UsageError(f"{', '.join(alone)}: goes with --checkpoint, whose images are scored")
        scored = _read_scores(scores or [], labels or [])
    elif scores or labels:
        raise UsageError("--checkpoint gives the scores and labels; leave out --scores and --label")
    else:
        trained = load_trained_model(find_checkpoint(checkpoint), device)
        split = split or "val"
        access = make_data_access(data_dir, offline)
        scored = _score_images(trained, images or NUM_IMAGES, split, access, data_root)
        number = len(scored.names)
        few = f" (there are no {images:,})" if images and images > number else ""
        precision = trained.precision.name
        notice(f"scores of {checkpoint} in {precision}: {number:,} of its {split} images{few}")
    settings = _load_loss(name, trained, overrides)
    worked = work_out(settings, scored.scores_NK, scored.labels_N, scored.class_names, scored.names)
    page = Page(
        blocks=loss_blocks(worked, settings.name),
        document={"loss": settings.model_dump(mode="json")} | asdict(worked),
        draw=lambda: draw_loss(worked, settings, scored.images_NCHW),
    )
    present(page, as_json=as_json, out=out)


def _refuse_settings_of_others(overrides: Sequence[str]) -> None:
    """Refuse a setting outside of ``loss``, which would change nothing on this page."""
    for override in overrides:
        if override.split("=")[0].split(".")[0].strip() != "loss":
            raise UsageError(f"--set {override}: this page reads the loss alone: --set loss.…")


def _load_loss(name: LossName, trained: "TrainedModel | None", overrides: list[str] | None) -> Any:
    """Return the loss with the settings that the checkpoint was trained with, else the defaults."""
    settings = {"name": name}
    if trained is not None and trained.config.loss.name == name:
        settings = trained.config.loss.model_dump(mode="json")
    text = json.dumps({"loss": settings})  # JSON is YAML
    loss = load_settings("learn loss", overrides, text).loss
    if loss.name != name:
        raise UsageError(f"--set loss.name: the page is that of {name}, the first argument")
    return loss


def _read_scores(scores: Sequence[str], labels: Sequence[int]) -> Scored:
    """Read the examples from the command line; without any, take the slide's."""
    import torch

    from ...lecture.worked_loss import SLIDE_CLASSES, slide_examples

    if not scores and not labels:
        return Scored(*slide_examples(), SLIDE_CLASSES, SLIDE_CLASSES)
    if len(scores) != len(labels):
        raise UsageError(f"{len(scores)} --scores and {len(labels)} --label; give one label each")
    rows = [_read_row(text) for text in scores]
    if len({len(row) for row in rows}) > 1:
        raise UsageError("every --scores needs the same number of scores, one per class")
    num_classes = len(rows[0])
    for label in labels:
        if not 0 <= label < num_classes:
            labels_of_these = f"{num_classes} scores have labels 0 to {num_classes - 1}"
            raise UsageError(f"--label {label}: {labels_of_these}")
    return Scored(
        torch.tensor(rows, dtype=torch.float64),
        torch.tensor(labels),
        tuple(f"class {k}" for k in range(num_classes)),
        tuple(f"example {i + 1}" for i in range(len(rows))),
    )


def _read_row(text: str) -> list[float]:
    from ...config.scalars import read_number, split_numbers

    row = [read_number("--scores", text, word) for word in split_numbers("--scores", text)]
    if len(row) < 2 or not all(abs(score) <= LARGEST_SCORE for score in row):
        raise UsageError(
            f"--scores {text!r}: give two or more numbers, one per class, none beyond "
            f"{LARGEST_SCORE:g}"
        )
    return row


def _score_images(
    trained: "TrainedModel",
    number: int,
    split: LearningSplit,
    access: "DataAccess",
    data_root: Path | None,
) -> Scored:
    """Score images that are evenly spaced over the split, so that many classes are among them."""
    from ...data.image_set import spread_evenly
    from ...evaluation.evaluate import evaluate, load_split

    images = load_split(trained, split, access, data_root)
    chosen = images.select(spread_evenly(len(images), number))
    scores_NK = evaluate(trained, chosen, split=split).scores_NK
    return Scored(scores_NK, chosen.labels_N, chosen.class_names, chosen.names, chosen.images_NCHW)
