"""What an evaluation looks like on the screen: a summary, then a row per class."""

from functools import partial
from pathlib import Path

from ...errors import counted, name_some
from ...evaluation.evaluate import Evaluation, list_answers
from ...evaluation.slices import NewTest
from ...metrics.statistics import macro_means
from ...page import Block, Column, Page, bar, list_facts, numbers, paragraph, percent, texts

BARS = Column("", is_number=False, style="cyan")
BAR_WIDTH = 24
NUM_CONFUSIONS = 5


def evaluation_page(evaluation: Evaluation, checkpoint: Path, model_name: str) -> Page:
    """Make the summary, the table of classes and the most frequent confusions."""
    views = "" if evaluation.tta == "none" else f", scores averaged over views ({evaluation.tta})"
    if evaluation.tta_share < 1:
        views += f" of the {percent(evaluation.tta_share, 0)} least confident"
    images = counted(len(evaluation.images), "image")
    heading = f"{model_name} on the {evaluation.split} split: {images}{views}"
    blocks = [_summarize(evaluation, heading), _list_classes(evaluation)]
    if confusions := list_confusions(evaluation):
        blocks.append(paragraph("most frequent confusions: " + ", ".join(confusions)))
    table = partial(list_answers, evaluation)
    return Page(tuple(blocks), evaluation.to_json(checkpoint), table=table)


def describe_accuracy(result: Evaluation | NewTest) -> str:
    """Return an accuracy and its interval in words."""
    low, high = result.accuracy_interval
    return f"{percent(result.accuracy, 2)}  (95 % interval {100 * low:.2f} to {100 * high:.2f} %)"


def list_confusions(evaluation: Evaluation) -> list[str]:
    """Return the most frequent mistakes as ``cat → dog 106``."""
    wrong_KK = evaluation.confusion_KK.clone().fill_diagonal_(0)
    names, num_classes = evaluation.images.class_names, len(wrong_KK)
    order = wrong_KK.flatten().argsort(descending=True, stable=True)[:NUM_CONFUSIONS].tolist()
    pairs = [divmod(index, num_classes) for index in order]
    return [
        f"{names[true]} → {names[predicted]} {int(wrong_KK[true, predicted]):,}"
        for true, predicted in pairs
        if wrong_KK[true, predicted]
    ]


def _summarize(evaluation: Evaluation, heading: str) -> Block:
    calibration, means = evaluation.calibration, macro_means(evaluation.confusion_KK)
    facts = {
        "accuracy": describe_accuracy(evaluation),
        "balanced accuracy": percent(means["balanced_accuracy"], 2),
        "macro F1": percent(means["macro_f1"], 2),
        "loss": f"{evaluation.loss:.4f}",
        "top-5": percent(evaluation.top5_accuracy, 2),
        "calibration error": percent(calibration.expected_error, 2)
        if calibration
        else "none: these scores are not probabilities",
    }
    if evaluation.top5_accuracy is None:
        del facts["top-5"]
    return list_facts(facts.items(), heading)


def _list_classes(evaluation: Evaluation) -> Block:
    means = macro_means(evaluation.confusion_KK)
    rows = [
        (
            scores.label,
            f"{scores.num_examples:,}",
            percent(scores.precision),
            percent(scores.f1),
            percent(scores.accuracy),
            bar(scores.accuracy or 0, BAR_WIDTH),
        )
        for scores in evaluation.per_class
    ]
    macro = (percent(means[f"macro_{name}"]) for name in ("precision", "f1", "recall"))
    never = [c.label for c in evaluation.per_class if c.num_examples and c.precision is None]
    note = f"Never predicted: {name_some(never)}; their precision counts as 0 in the macro mean."
    return Block(
        columns=(*texts("class"), *numbers("images", "precision", "F1", "recall"), BARS),
        rows=(*rows, ("macro mean", f"{len(evaluation.images):,}", *macro, "")),
        row_styles={len(rows): "bold"},
        first_to_go=("", "F1", "precision", "images"),
        notes=(note,) if never else (),
    )
