"""``cnn-train learn loss``: hinge and cross-entropy, worked out term by term."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...errors import UsageError
from ..options import DataDirOption, DeviceOption, JsonOption, OfflineOption, SetOption

if TYPE_CHECKING:
    from torch import Tensor

    from ...lecture.worked_loss import WorkedExample, WorkedLoss
    from ...trained_model import TrainedModel

NUM_IMAGES = 3
MOST_SHOWN = 5
LARGEST_SCORE = 1e300
"""Differences of larger scores may not be floats."""

LARGEST_WRITTEN_OUT = 1e9
"""Larger numbers are shown as powers of ten."""


class LossName(StrEnum):
    """The losses that have a page."""

    hinge = "hinge"
    cross_entropy = "cross_entropy"


class LearningSplit(StrEnum):
    """The images that one may learn from: never the test split."""

    train = "train"
    val = "val"


@dataclass(frozen=True)
class Scored:
    """Scores NK, labels N, and what the classes and the examples are called."""

    scores_NK: "Tensor"
    labels_N: "Tensor"
    class_names: tuple[str, ...]
    names: tuple[str, ...]


def loss(
    name: Annotated[LossName, typer.Argument(metavar="hinge|cross_entropy", help="The loss.")],
    scores: Annotated[
        list[str] | None,
        typer.Option("--scores", help='One example\'s scores, e.g. "3.2 5.1 -1.7"; repeatable.'),
    ] = None,
    labels: Annotated[
        list[int] | None,
        typer.Option("--label", help="Its class, counted from 0; one for each --scores."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Work on images that this checkpoint or run scores."),
    ] = None,
    images: Annotated[
        int | None,
        typer.Option("--images", min=1, help="How many, evenly spaced over the split. Default: 3."),
    ] = None,
    split: Annotated[
        LearningSplit | None,
        typer.Option("--split", help="Whose images; never the test split's. Default: val."),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", help="Where the dataset's own images lie, if they moved."),
    ] = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    device: DeviceOption = "auto",
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Work out a loss term by term: on the slide, on your scores, on a model's images."""
    from dataclasses import asdict

    from ...lecture.worked_loss import work_out
    from ...run_directory import find_checkpoint
    from ...trained_model import load_trained_model
    from ..console import notice, print_json

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
        where = _Where(split or LearningSplit.val, data_root, data_dir, offline)
        scored = _score_images(trained, images or NUM_IMAGES, where)
        found = len(scored.names)
        few = f" (there are no {images:,})" if images and images > found else ""
        notice(f"scores of {checkpoint}, {found:,} images of its {where.split.value} split{few}")
    settings = _load_loss(name, trained, overrides or ())
    worked = work_out(settings, scored.scores_NK, scored.labels_N, scored.class_names, scored.names)
    if as_json:
        print_json({"loss": settings.model_dump(mode="json")} | asdict(worked))
    else:
        _show(worked, settings.name)


@dataclass(frozen=True)
class _Where:
    """Which images, and where they lie."""

    split: LearningSplit
    data_root: Path | None
    data_dir: Path | None
    offline: bool


def _refuse_settings_of_others(overrides: Sequence[str]) -> None:
    """Raise UsageError for a setting that no loss reads: it would change nothing here."""
    for override in overrides:
        if override.split("=")[0].split(".")[0].strip() != "loss":
            raise UsageError(f"--set {override}: this page reads the loss alone: --set loss.…")


def _load_loss(name: LossName, trained: "TrainedModel | None", overrides: Sequence[str]) -> Any:
    """Return the loss with the checkpoint's settings if it was trained with it, else defaults."""
    import json

    from ...config.experiment import ExperimentConfig
    from ...config.loading import load_experiment

    settings = {"name": name.value}
    if trained is not None and trained.config.loss.name == name.value:
        settings = trained.config.loss.model_dump(mode="json")
    text = json.dumps({"loss": settings})  # JSON is YAML
    experiment = load_experiment("learn loss", overrides, ExperimentConfig, text=text)
    if experiment.loss.name != name.value:
        raise UsageError(f"--set loss.name: the page is that of {name.value}, the first argument")
    return experiment.loss


def _read_scores(scores: Sequence[str], labels: Sequence[int]) -> Scored:
    """Read the examples of the command line, or take the slide's."""
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
            raise UsageError(f"--label {label}: {num_classes} scores have labels 0 to "
                             f"{num_classes - 1}")  # fmt: skip
    return Scored(
        torch.tensor(rows, dtype=torch.float64),
        torch.tensor(labels),
        tuple(f"class {k}" for k in range(num_classes)),
        tuple(f"example {i + 1}" for i in range(len(rows))),
    )


def _read_row(text: str) -> list[float]:
    words = text.replace(",", " ").split()
    try:
        row = [float(word.replace("−", "-")) for word in words]
    except ValueError:
        raise UsageError(f"--scores {text!r}: not all of these are numbers") from None
    for word, score in zip(words, row, strict=True):
        if not isfinite(score):
            raise UsageError(f"--scores {text!r}: {word} is no finite number")
    if len(row) < 2 or not all(abs(score) <= LARGEST_SCORE for score in row):
        raise UsageError(
            f"--scores {text!r}: give two or more numbers, one per class, none beyond "
            f"{LARGEST_SCORE:g}"
        )
    return row


def _score_images(trained: "TrainedModel", number: int, where: _Where) -> Scored:
    """Score images that are evenly spaced over the split, so that they are of many classes."""
    import torch

    from ...evaluate import evaluate, load_split
    from ..data_access import make_data_access

    access = make_data_access(where.data_dir, where.offline)
    split: Literal["train", "val"] = where.split.value
    chosen = load_split(trained, split, access, where.data_root)
    number = min(number, len(chosen))
    chosen = chosen.select(torch.arange(number) * len(chosen) // max(number, 1))
    scores_NK = evaluate(trained, chosen, split=split).scores_NK
    return Scored(scores_NK, chosen.labels_N, chosen.class_names, chosen.names)


def _show(worked: "WorkedLoss", loss_name: str) -> None:
    from .page import show_heading, show_text

    show_heading(f"{loss_name}: {worked.formula}")
    for i, example in enumerate(worked.examples[:MOST_SHOWN]):
        _show_example(worked, example, i + 1)
    losses = [example.loss for example in worked.examples]
    hidden = len(losses) - MOST_SHOWN
    if hidden > 0:
        show_text(f"\n… and {hidden} more; --json has them all")
    show_text()
    few = " + ".join(map(_number, losses)) if hidden <= 0 else "sum of the L_i"
    show_heading(f"L = ({few}) / {len(losses)} = {_number(worked.mean)}")
    show_text(f"the loss that trains networks says {_number(worked.training_loss)} of these scores")
    show_text(f"a trap: {worked.trap.call} says {_number(worked.trap.loss)}: {worked.trap.reason}")


def _show_example(worked: "WorkedLoss", example: "WorkedExample", number: int) -> None:
    """Print one example: a row per class, the right one in bold, and the sum of its terms."""
    from rich.markup import escape

    from ...lecture.worked_loss import SHIFTED
    from .page import make_table, show_heading, show_table, show_text

    label = worked.class_names[example.label]
    name = "" if example.name == label else f"{example.name}, "
    show_text()
    show_heading(f"L_{number}: {name}y = {label}")
    table = make_table("class j", numbers=("s_j", *example.columns, "term", "∂L_i/∂s_j"))
    for j, class_name in enumerate(worked.class_names):
        columns = [_number(column[j]) for column in example.columns.values()]
        numbers = (example.scores[j], example.terms[j], example.gradient[j])
        score, term, slope = map(_number, numbers)
        style = "bold" if j == example.label else ""
        table.add_row(escape(class_name), score, *columns, term, slope, style=style)
    show_table(table)
    terms = [_number(term) for term in example.terms if term] or ["0"]
    total = f" = {_number(example.loss)}" if len(terms) > 1 else ""
    show_text(f"L_{number} = {' + '.join(terms)}{total}")
    if SHIFTED in example.columns:
        show_text(
            "exp(s_j) of these scores is no float: the largest score is subtracted from all of "
            "them first, which divides numerator and denominator of p_j by the same exp(max s)."
        )


def _number(number: float | None) -> str:
    if number is None:
        return "—"
    return f"{number:.4f}" if abs(number) < LARGEST_WRITTEN_OUT else f"{number:.4e}"
