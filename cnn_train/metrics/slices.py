"""What is measured of a model as images get harder."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Slice:
    """A model under one challenge; every tuple has an entry per severity.

    strengths: None at severity 0, and for the files of CIFAR-10-C. pixels_changed: share of the
    pixels of which at least one channel differs from the clean image; None: not known.
    """

    group: str
    name: str
    num_examples: int
    severities: tuple[int, ...]
    strengths: tuple[float | None, ...]
    accuracy: tuple[float, ...]
    pixels_changed: tuple[float | None, ...]


@dataclass(frozen=True)
class ClassSlice:
    """How well one class is recognised, and how far apart its images lie in feature space."""

    label: str
    accuracy: float | None
    spread: float | None
