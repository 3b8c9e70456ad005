"""Save an evaluation as files: figures and a JSON document.

Shape letters: N examples.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..data.challenges import CHALLENGES
from ..errors import UsageError
from ..figures.calibration import draw_calibration, draw_margins
from ..figures.confusion import draw_confusion
from ..figures.fonts import say_missing
from ..figures.mistakes import Mistake, draw_mistakes
from ..figures.saving import is_figure_path, save_figure
from ..figures.slices import ExampleRow, draw_examples, draw_slices
from ..figures.style import Drawing, shorten_apart
from ..machine.atomic_file import save_json
from ..metrics.slices import Slice
from ..metrics.statistics import true_class_margins
from ..page import count_images
from .evaluate import Evaluation
from .slices import SliceReport, change_chunk

MOST_MISTAKES = 24


def save_report(
    evaluation: Evaluation,
    directory: Path,
    *,
    checkpoint: Path,
    model_name: str,
    required_margin: float | None = None,
    notice: Callable[[str], object] = lambda message: None,
) -> list[Path]:
    """Write confusion, calibration (or margins), mistakes and JSON; return the files written.

    Raises UsageError where ``directory`` cannot be made.
    """
    figures = draw_evaluation(evaluation, model_name=model_name, required_margin=required_margin)
    named = {f"{name}.png": figure for name, figure in figures.items()}
    return _save(directory, named, "evaluation.json", evaluation.to_json(checkpoint), notice)


def draw_evaluation(
    evaluation: Evaluation, *, model_name: str, required_margin: float | None = None
) -> dict[str, Drawing]:
    """Draw ``confusion``, ``mistakes`` and ``calibration``.

    A model without probabilities has ``margins`` instead, where ``required_margin`` is marked.
    """
    subject = f"{model_name}, {evaluation.split} split, {count_images(len(evaluation.images))}"
    class_names = evaluation.images.class_names
    figures = {
        "confusion": draw_confusion(
            evaluation.confusion_KK, class_names, f"Confusion matrix: {subject}"
        ),
        "mistakes": draw_mistakes(
            find_mistakes(evaluation, MOST_MISTAKES), f"Most confident mistakes: {subject}"
        ),
    }
    if evaluation.calibration is not None:
        title = f"Calibration: {subject}"
        figures["calibration"] = draw_calibration(evaluation.calibration, title)
    else:
        margins_N = true_class_margins(evaluation.scores_NK, evaluation.images.labels_N)
        title = f"Margins: {subject}"
        figures["margins"] = draw_margins(margins_N, required_margin, title)
    return figures


def save_slices(
    report: SliceReport,
    out: Path,
    *,
    checkpoint: Path,
    model_name: str,
    notice: Callable[[str], object] = lambda message: None,
) -> list[Path]:
    """Write curves, an example of every challenge and JSON; return the files written.

    Where ``out`` is named like a picture, only the curves are written, to that file. Raises
    UsageError where there are no curves, and where the directory cannot be made.
    """
    if is_figure_path(out) and not report.slices:
        raise UsageError(f"--out {out}: CIFAR-10.1 alone has no severities to draw; add --slices")
    figures = draw_slice_report(report, model_name=model_name)
    if is_figure_path(out):
        say_missing(save_figure(figures["slices"], out), notice)
        return [out]
    named = {f"{name}.png": figure for name, figure in figures.items()}
    return _save(out, named, "slices.json", report.to_json(checkpoint), notice)


def draw_slice_report(report: SliceReport, *, model_name: str) -> dict[str, Drawing]:
    """Draw ``slices``, the curves, and ``challenges``, an example of each, where there are any."""
    figures = {}
    if report.slices:
        figures["slices"] = draw_slices(
            report.slices,
            report.classes,
            chance=1 / len(report.clean.per_class),
            largest=int(report.clean.confusion_KK.sum(dim=1).max()) / len(report.clean.images),
            title=f"Accuracy by severity: {model_name}, {report.clean.split} split",
        )
    if rows := list_examples(report):
        figures["challenges"] = draw_examples(rows, "The same image under every challenge")
    return figures


def list_examples(report: SliceReport) -> list[ExampleRow]:
    """Return the first image at every severity of every challenge, as the model saw it."""
    images_NCHW = report.clean.images.images_NCHW

    def row(s: Slice) -> ExampleRow:
        chunks = (
            change_chunk(images_NCHW, 0, s.name, level, report.seed) for level in s.severities
        )
        return s, [after_MCHW[0] for _, after_MCHW in chunks]

    # compared by group too: CIFAR-10-C has its own brightness and contrast
    groups = {name: challenge.group for name, challenge in CHALLENGES.items()}
    return [row(s) for s in report.slices if groups.get(s.name) == s.group]


def _save(
    directory: Path,
    figures: Mapping[str, Drawing],
    name: str,
    document: Mapping[str, Any],
    notice: Callable[[str], object],
) -> list[Path]:
    """Write the figures and, last, the document called ``name``; return the files written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UsageError(
            f"--out {directory}: cannot make this directory ({problem.strerror})"
        ) from None
    missing = [save_figure(figure, directory / file) for file, figure in figures.items()]
    say_missing("".join(missing), notice)
    save_json(directory / name, document)
    return [directory / written for written in (*figures, name)]


def find_mistakes(evaluation: Evaluation, most: int) -> list[Mistake]:
    """Return the wrong predictions that the model was most certain of, the most certain first.

    Certainty is the predicted class's probability, or how far its score is ahead of the true one's.
    """
    images, names = evaluation.images, shorten_apart(evaluation.images.class_names, 18)
    percent = evaluation.calibration is not None
    certainty_N = -true_class_margins(evaluation.scores_NK, images.labels_N)
    if percent:
        certainty_N = evaluation.scores_NK.double().softmax(dim=1).amax(dim=1)
    wrong_M = (evaluation.predicted_N != images.labels_N).nonzero()[:, 0]
    worst_M = wrong_M[certainty_N[wrong_M].argsort(descending=True, stable=True)[:most]]
    return [
        Mistake(
            image_CHW=images.images_NCHW[i],
            name=images.names[i],
            true_label=names[int(images.labels_N[i])],
            predicted_label=names[int(evaluation.predicted_N[i])],
            certainty=f"{100 * certainty:.1f} %" if percent else f"score {certainty:.2f} ahead",
        )
        for i, certainty in zip(worst_M.tolist(), certainty_N[worst_M].tolist(), strict=True)
    ]
