"""A row in numbers: the mean of its runs, how far they spread, and in which words to say so."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from cnn_train.errors import counted
from cnn_train.metrics.statistics import MeanOfRuns, accuracy_interval, mean_of_runs, student_t_975

from .recipes import RECIPES, Recipe
from .records import RowRecord

MOST_OTHER_CORES = 0.2
"""Where other processes kept more cores than that busy, a time is marked as disturbed."""


@dataclass(frozen=True)
class Summary:
    """One row of the table; runs: its measurements, one for each seed."""

    name: str
    recipe: Recipe
    loss: str
    runs: Sequence[Mapping[str, Any]]

    @property
    def n(self) -> int:
        """How many seeds were trained."""
        return len(self.runs)

    def of(self, fact: str) -> MeanOfRuns | None:
        """Return a fact's mean over the runs; None where they do not have it."""
        return self.mean(fact) if all(fact in run for run in self.runs) else None

    def mean(self, fact: str) -> MeanOfRuns:
        """Return the mean over the runs of a fact that each has."""
        return mean_of_runs([run[fact] for run in self.runs])

    @property
    def accuracy(self) -> MeanOfRuns:
        """The accuracy on the test images, one view each."""
        return self.mean("test_accuracy")

    @property
    def interval(self) -> tuple[float, float]:
        """95 %: of the mean over seeds, or with one seed what these test images leave open."""
        return self.accuracy.interval or self.image_interval

    @property
    def image_interval(self) -> tuple[float, float]:
        """95 % for other test images of the same kind (Wilson)."""
        num_test = self.runs[0]["num_test"]
        return accuracy_interval(round(self.accuracy.mean * num_test), num_test)

    @property
    def range_of_another_run(self) -> tuple[float, float]:
        """95 % for one more run on the same images, or with one seed the interval of images."""
        mean = self.accuracy
        if mean.sd is None:
            return self.image_interval
        half = student_t_975(mean.n - 1) * mean.sd * (1 + 1 / mean.n) ** 0.5
        return mean.mean - half, mean.mean + half

    @property
    def timed(self) -> Sequence[Mapping[str, Any]]:
        """The runs whose time counts: those on the hardware that most of them had."""
        hardware = self.hardware
        return [run for run in self.runs if describe_hardware(run) == hardware]

    @property
    def seconds(self) -> float:
        """Of training and validation, as ``fit`` counts them; the median of the timed runs."""
        return float(median(run["seconds"] for run in self.timed))

    @property
    def images_per_second(self) -> float:
        """In training; the mean of the timed runs."""
        return fmean(run["images_per_second"] for run in self.timed)

    @property
    def is_disturbed(self) -> bool:
        """Whether other work ran beside a timed run, so that its time says little."""
        return any(run.get("other_cores", 0) > MOST_OTHER_CORES for run in self.timed)

    @property
    def slices(self) -> float:
        """The accuracy under all changes of all slices, their mean."""
        return fmean(fmean(run["slices"].values()) for run in self.runs)

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        return int(self.runs[0]["parameters"])

    @property
    def hardware(self) -> str:
        """What computed most of the runs."""
        return kinds_of_hardware(self.runs)[0]

    @property
    def all_hardware(self) -> str:
        """What computed the runs, in a config's header."""
        first, *others = kinds_of_hardware(self.runs)
        return f"{first} (its time); other seeds: {'; '.join(others)}" if others else first


def kinds_of_hardware(runs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what computed the runs, the most frequent first."""
    return [kind for kind, _ in Counter(map(describe_hardware, runs)).most_common()]


def describe_hardware(run: Mapping[str, Any]) -> str:
    """Name the processor, its cores and the number format."""
    cores = f"{counted(int(run['threads']), 'core')}, " if run["device"] == "cpu" else ""
    return f"{cores}{run['processor']}, {run['precision']}"


def summarize_rows(rows: Mapping[str, RowRecord]) -> list[Summary]:
    """Return the rows that have runs, in the order of the table."""
    return [
        Summary(name, RECIPES[name], row.recipe.loss.name, row.runs)
        for name in RECIPES
        if (row := rows.get(name)) and row.runs
    ]


def percent(value: float, digits: int = 1) -> str:
    """Write a share as percent, without the sign."""
    return f"{100 * value:.{digits}f}"


def with_spread(mean: MeanOfRuns) -> str:
    """Write a mean of accuracies, with their standard deviation where there are several."""
    spread = "" if mean.sd is None else f" ± {percent(mean.sd)}"
    return percent(mean.mean) + spread


def duration(seconds: float) -> str:
    """Write a time as ``52 s`` or ``3 min 4 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def measured_words(row: Summary) -> str:
    """Say what a config gives, for its header."""
    validation, views = row.mean("val_accuracy").mean, row.mean("views_accuracy")
    busy = " (beside other work)" if row.is_disturbed else ""
    return (
        f"{duration(row.seconds)} of training{busy}; validation "
        f"{percent(validation)} %, test "
        f"{with_spread(row.accuracy)} %, with views {with_spread(views)} % (n = {row.n})"
    )
