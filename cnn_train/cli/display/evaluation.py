"""What an evaluation looks like on the screen: a summary, then a row per class."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ...page import percent
from ..console import stdout

if TYPE_CHECKING:
    from ...evaluation.evaluate import Evaluation

BAR_WIDTH = 24
NARROWEST_WITH_BARS = 70
NARROWEST_WITH_DETAILS = 50
NUM_CONFUSIONS = 5


def show_evaluation(evaluation: "Evaluation", model_name: str) -> None:
    """Print the summary, the table of classes and the most frequent confusions."""
    views = "" if evaluation.tta == "none" else f", scores averaged over views ({evaluation.tta})"
    title = (
        f"{model_name} on the {evaluation.split} split: {len(evaluation.images):,} images{views}"
    )
    stdout.print(Text(title, style="bold"))
    stdout.print(_render_summary(evaluation))
    stdout.print()
    stdout.print(_render_classes(evaluation))
    stdout.print()
    confusions = list_confusions(evaluation)
    if confusions:
        stdout.print(Text("most frequent confusions: " + ", ".join(confusions)))


def render_bar(share: float, width: int, style: str = "cyan") -> Text:
    """Return a bar whose full ``width`` means 1; plain ASCII where the terminal knows no more."""
    block = "#" if stdout.options.ascii_only else "█"
    return Text(block * round(min(max(share, 0), 1) * width), style=style)


def list_confusions(evaluation: "Evaluation") -> list[str]:
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


def _render_summary(evaluation: "Evaluation") -> Table:
    lower, upper = evaluation.accuracy_interval
    calibration = evaluation.calibration
    facts = {
        "accuracy": f"{percent(evaluation.accuracy, 2)}  "
        f"(95 % interval {100 * lower:.2f} to {100 * upper:.2f} %)",
        "loss": f"{evaluation.loss:.4f}",
        "top-5": percent(evaluation.top5_accuracy, 2),
        "calibration error": percent(calibration.expected_error, 2)
        if calibration
        else "none: these scores are not probabilities",
    }
    if evaluation.top5_accuracy is None:
        del facts["top-5"]
    table = Table.grid(padding=(0, 2))
    for name, fact in facts.items():
        table.add_row(name, Text(fact, style="bold" if name == "accuracy" else ""))
    return table


def _render_classes(evaluation: "Evaluation") -> Table:
    """Draw a row per class; a narrow terminal gets fewer columns instead of torn ones."""
    details = ("images", "precision", "F1") if stdout.width >= NARROWEST_WITH_DETAILS else ()
    with_bars = stdout.width >= NARROWEST_WITH_BARS
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("class", overflow="fold")
    for title in (*details, "accuracy"):
        table.add_column(title, justify="right")
    if with_bars:
        table.add_column("", width=BAR_WIDTH)
    for one in evaluation.per_class:
        numbers = (f"{one.num_examples:,}", percent(one.precision), percent(one.f1))
        bar = (render_bar(one.accuracy or 0, BAR_WIDTH),) if with_bars else ()
        table.add_row(Text(one.label), *(numbers if details else ()), percent(one.accuracy), *bar)
    return table
