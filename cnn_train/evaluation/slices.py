"""Accuracy under each of the lecture's challenges, from severity 0 (the clean images) to 5.

Shape letters: N examples, M examples of a chunk, C channels, H W pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..data.challenges import CHALLENGES
from ..data.challenges.challenge import MAX_SEVERITY
from ..data.cifar10.harder_tests import HarderTest
from ..data.dataset import Advance, Progress, silent
from ..data.image_set import ImageSet, Pixels
from ..errors import UsageError
from ..inference.trained_model import TrainedModel
from ..inference.views import ViewsName
from ..metrics.slices import ClassSlice, Slice
from ..random_streams import make_generator
from .class_spread import measure_spread
from .evaluate import Evaluation, evaluate

CHUNK = 500
"""Images changed at a time: few enough for the memory, and independent of the batch size."""


@dataclass(frozen=True)
class NewTest:
    """A model on images of another source, which have no severities; interval: 95 %."""

    benchmark: str
    name: str
    num_examples: int
    accuracy: float
    accuracy_interval: tuple[float, float]


@dataclass(frozen=True)
class SliceReport:
    """A model on clean images and on every slice; ``clean`` is the ordinary evaluation."""

    clean: Evaluation
    seed: int
    severities: tuple[int, ...]
    slices: tuple[Slice, ...]
    classes: tuple[ClassSlice, ...]
    new_tests: tuple[NewTest, ...]

    def to_json(self, checkpoint: Path) -> dict[str, Any]:
        """Return the document that ``evaluate --slices --json`` prints."""
        return {
            "checkpoint": str(checkpoint),
            "split": self.clean.split,
            "tta": self.clean.tta,
            "tta_share": self.clean.tta_share,
            "num_examples": len(self.clean.images),
            "num_trained_on": self.clean.num_trained_on,
            "seed": self.seed,
            "accuracy": self.clean.accuracy,
            "accuracy_interval": list(self.clean.accuracy_interval),
            "slices": [asdict(slice_) for slice_ in self.slices],
            "classes": [asdict(class_) for class_ in self.classes],
            "new_tests": [asdict(test) for test in self.new_tests],
        }


def parse_severities(text: str) -> tuple[int, ...]:
    """Read ``0-5`` or ``1,3,5``; raises UsageError for anything else."""
    severities: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
            raise UsageError(f"--severities {text}: write a range or a list, such as 0-5 or 1,3,5")
        if int(last) > MAX_SEVERITY:
            raise UsageError(f"--severities {text}: severities go from 0 to {MAX_SEVERITY}")
        severities |= set(range(int(first), int(last) + 1))
    return tuple(sorted(severities))


def evaluate_slices(
    trained: TrainedModel,
    images: ImageSet,
    *,
    split: str = "test",
    severities: Sequence[int] = range(MAX_SEVERITY + 1),
    seed: int = 0,
    challenges: Sequence[str] = tuple(CHALLENGES),
    harder_tests: Sequence[HarderTest] = (),
    batch_size: int = 512,
    tta: ViewsName = "none",
    tta_share: float = 1.0,
    progress: Progress = silent,
) -> SliceReport:
    """Measure the model on the clean images, under each challenge and on each harder test.

    Severity 0 is the result on the clean images. Random changes depend on ``seed`` and the
    challenge's name only: a higher severity makes the same change stronger. ``tta_share`` is one of
    each chunk of changed images. Raises what ``evaluate`` does.
    """
    scoring: dict[str, Any] = {"batch_size": batch_size, "tta": tta, "tta_share": tta_share}
    measure: Callable[..., Evaluation] = partial(evaluate, trained, progress=progress, **scoring)
    clean = measure(images, split=split)
    score = partial(trained.scores, **scoring)
    run = _Run(clean, tuple(severities), seed, score, measure)
    slices: list[Slice] = []
    classes: tuple[ClassSlice, ...] = ()
    if challenges:
        num_changes = len(challenges) * sum(severity > 0 for severity in severities)
        with progress("Scoring changed images", num_changes * len(images)) as advance:
            slices = [run.measure_challenge(name, advance) for name in challenges]
        spreads = measure_spread(trained, images, batch_size=batch_size)
        pairs = zip(clean.per_class, spreads, strict=True)
        classes = tuple(ClassSlice(one.label, one.accuracy, spread) for one, spread in pairs)
    corruptions = [test for test in harder_tests if test.num_severities > 1]
    new_tests = [test for test in harder_tests if test.num_severities == 1]
    return SliceReport(
        clean=clean,
        seed=seed,
        severities=run.severities,
        slices=(*slices, *(run.measure_corruption(test) for test in corruptions)),
        classes=classes,
        new_tests=tuple(run.measure_new_test(test) for test in new_tests),
    )


def count_chunks(images_NCHW: Pixels) -> int:
    """Return how many chunks of at most CHUNK images there are."""
    return -(-len(images_NCHW) // CHUNK)


def change_chunk(
    images_NCHW: Pixels, chunk: int, name: str, severity: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return a chunk of images before and after a challenge, uint8 MCHW each.

    A chunk takes every n-th image. Images may be sorted by class: in a chunk of neighbours, a
    border cut from another image would always come from the same class.
    """
    before_MCHW = images_NCHW[chunk :: count_chunks(images_NCHW)]
    generator = make_generator(seed, "challenge", name, chunk)
    return before_MCHW, CHALLENGES[name].apply(before_MCHW, severity, generator)


@dataclass(frozen=True)
class _Run:
    """What all slices of one report have in common."""

    clean: Evaluation
    severities: tuple[int, ...]
    seed: int
    score: Callable[..., Tensor]
    measure: Callable[..., Evaluation]

    def measure_challenge(self, name: str, advance: Advance) -> Slice:
        challenge = CHALLENGES[name]
        measured = [self._measure(name, severity, advance) for severity in self.severities]
        return Slice(
            group=challenge.group,
            name=name,
            num_examples=len(self.clean.images),
            severities=self.severities,
            strengths=tuple(challenge.strengths[s - 1] if s else None for s in self.severities),
            accuracy=tuple(accuracy for accuracy, _ in measured),
            pixels_changed=tuple(changed for _, changed in measured),
        )

    def _measure(self, name: str, severity: int, advance: Advance) -> tuple[float, float]:
        """Return the accuracy and the share of pixels changed."""
        if severity == 0:
            return self.clean.accuracy, 0.0
        images_NCHW, labels_N = self.clean.images.images_NCHW, self.clean.images.labels_N
        num_correct = num_changed = 0
        for i in range(count_chunks(images_NCHW)):
            before_MCHW, after_MCHW = change_chunk(images_NCHW, i, name, severity, self.seed)
            num_changed += int((after_MCHW != before_MCHW).any(dim=1).sum())
            scores_MK = self.score(after_MCHW)
            advance(len(after_MCHW))
            labels_M = labels_N[i :: count_chunks(images_NCHW)]
            num_correct += int((scores_MK.argmax(dim=1) == labels_M).sum())
        num_pixels = len(images_NCHW) * images_NCHW.shape[2:].numel()
        return num_correct / len(images_NCHW), num_changed / num_pixels

    def measure_corruption(self, test: HarderTest) -> Slice:
        """Measure one file of CIFAR-10-C; severity 0 is the result on the clean images."""
        measured = (  # one at a time: each holds its images
            self.measure_harder(test, severity) if severity else self.clean
            for severity in self.severities
        )
        return Slice(
            group=test.benchmark,
            name=test.name,
            num_examples=len(test.labels_N) // test.num_severities,
            severities=self.severities,
            strengths=(None,) * len(self.severities),
            accuracy=tuple(evaluation.accuracy for evaluation in measured),
            pixels_changed=(None,) * len(self.severities),
        )

    def measure_harder(self, test: HarderTest, severity: int) -> Evaluation:
        return self.measure(test.load(severity, self.clean.images.class_names), split=test.name)

    def measure_new_test(self, test: HarderTest) -> NewTest:
        result = self.measure_harder(test, 1)
        return NewTest(
            test.benchmark, test.name, len(result.images), result.accuracy, result.accuracy_interval
        )
