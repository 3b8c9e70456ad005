"""A loss worked out by hand: every term of every example, as on the lecture's slide.

    hinge            L_i = Σ_{j≠y} max(0, s_j − s_y + 1)
    cross-entropy    p_j = exp(s_j) / Σ_k exp(s_k)    L_i = −log p_y

A loss says how unhappy we are with the scores s of one image whose class is y; over a dataset it is
the mean of the L_i. Its gradient by the scores is where backpropagation begins:

    hinge            1 for every class that comes too close, minus their number for the right class
    cross-entropy    p_j, minus 1 for the right class

The terms are computed here from scratch; the training loss must give the same numbers.

Shape letters: N examples, K classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..losses.cross_entropy import CrossEntropyConfig
from ..losses.hinge import HingeConfig

SLIDE_CLASSES = ("cat", "car", "frog")
SLIDE_SCORES = ((3.2, 5.1, -1.7), (1.3, 4.9, 2.0), (2.2, 2.5, -3.1))
"""The slide's three images: a cat, a car and a frog, in this order."""

LARGEST_EXPONENT = 700.0
"""exp of a larger number is too large for a float, exp of its negative too small."""

SHIFTED = "exp(s_j - max s)"
"""The column's heading if exp(s_j) itself is too large or too small for a float."""


@dataclass(frozen=True)
class WorkedExample:
    """One example, class by class.

    columns: the steps to the terms, by heading; None for a class that has no such step. ``terms``
    add up to ``loss``. gradient: ∂L_i/∂s_j. on_margin: classes at a kink of the hinge.
    """

    name: str
    label: int
    scores: tuple[float, ...]
    columns: dict[str, tuple[float | None, ...]]
    terms: tuple[float, ...]
    loss: float
    gradient: tuple[float, ...]
    on_margin: tuple[int, ...] = ()


@dataclass(frozen=True)
class Trap:
    """A call of torch that looks the same and gives another loss: which, and why."""

    call: str
    loss: float
    reason: str


@dataclass(frozen=True)
class WorkedLoss:
    """The examples, their mean loss, and the training loss of the same scores."""

    formula: str
    class_names: tuple[str, ...]
    examples: tuple[WorkedExample, ...]
    mean: float
    training_loss: float
    trap: Trap


def slide_examples() -> tuple[Tensor, Tensor]:
    """Return the slide's scores NK (float64) and labels N."""
    return torch.tensor(SLIDE_SCORES, dtype=torch.float64), torch.arange(len(SLIDE_SCORES))


def work_out(
    loss: HingeConfig | CrossEntropyConfig,
    scores_NK: Tensor,
    labels_N: Tensor,
    class_names: Sequence[str],
    names: Sequence[str],
) -> WorkedLoss:
    """Work out every example, and compare with the training loss and with a trap.

    Raises UsageError if a loss is too large for a float.
    """
    scores_NK = scores_NK.double()
    rows = zip(names, scores_NK.tolist(), labels_N.tolist(), strict=True)
    if isinstance(loss, HingeConfig):
        square = "²" if loss.squared else ""
        formula = f"L_i = Σ_(j≠y) max(0, s_j - s_y + {loss.margin:g}){square}"
        examples = [work_hinge(loss, *row) for row in rows]
        trap = divided_by_classes(loss, scores_NK, labels_N)
    else:
        charged = "Σ_j t_j · (-log p_j)" if loss.label_smoothing else "-log p_y"
        formula = f"p_j = exp(s_j) / Σ_k exp(s_k), L_i = {charged}"
        examples = [work_cross_entropy(loss, *row) for row in rows]
        trap = softmax_twice(loss, scores_NK, labels_N)
    if not all(math.isfinite(example.loss) for example in examples):
        raise UsageError("the loss of these scores is too large for a float; give smaller ones")
    return WorkedLoss(
        formula=formula,
        class_names=tuple(class_names),
        examples=tuple(examples),
        mean=math.fsum(example.loss for example in examples) / len(examples),
        training_loss=loss.build()(scores_NK, labels_N).item(),
        trap=trap,
    )


def work_hinge(loss: HingeConfig, name: str, scores: Sequence[float], label: int) -> WorkedExample:
    """Charge every wrong class that comes within the margin of the right one."""
    violations = [score - scores[label] + loss.margin for score in scores]
    excess = [0.0 if j == label else max(0.0, v) for j, v in enumerate(violations)]
    terms = [v * v for v in excess] if loss.squared else excess
    slopes = [2 * v if loss.squared else float(v > 0) for v in excess]
    slopes[label] = 0.0 - math.fsum(slopes)
    shown = tuple(None if j == label else v for j, v in enumerate(violations))
    columns = {f"s_j - s_y + {loss.margin:g}": shown}
    total = math.fsum(terms)
    touching = () if loss.squared else (j for j, v in enumerate(shown) if v == 0)
    return WorkedExample(
        name, label, tuple(scores), columns, tuple(terms), total, tuple(slopes), tuple(touching)
    )


def work_cross_entropy(
    loss: CrossEntropyConfig, name: str, scores: Sequence[float], label: int
) -> WorkedExample:
    """Charge −log p of the right class, or of all classes by their share t_j of the target."""
    largest = max(scores)  # without it, exp of a large score overflows
    powers = [math.exp(score - largest) for score in scores]
    log_sum = largest + math.log(math.fsum(powers))
    log_p = [score - log_sum for score in scores]
    evenly = loss.label_smoothing / len(scores)
    target = [evenly + (1 - loss.label_smoothing) * (j == label) for j in range(len(scores))]
    terms = [-t * log if t else 0.0 for t, log in zip(target, log_p, strict=True)]
    p = list(map(math.exp, log_p))
    is_float = abs(largest) < LARGEST_EXPONENT
    columns: dict[str, tuple[float | None, ...]] = {
        "exp(s_j)" if is_float else SHIFTED: tuple(map(math.exp, scores) if is_float else powers),
        "p_j": tuple(p),
    }
    if loss.label_smoothing:
        columns["t_j"] = tuple(target)
    gradient = tuple(p_j - t_j for p_j, t_j in zip(p, target, strict=True))
    total = math.fsum(terms)
    return WorkedExample(name, label, tuple(scores), columns, tuple(terms), total, gradient)


def divided_by_classes(loss: HingeConfig, scores_NK: Tensor, labels_N: Tensor) -> Trap:
    """Call torch's hinge loss, which is smaller by the number of classes."""
    torchs = nn.MultiMarginLoss(p=2 if loss.squared else 1, margin=loss.margin)
    reason = f"divides by the number of classes, {scores_NK.shape[1]}"
    return Trap("torch.nn.MultiMarginLoss", torchs(scores_NK, labels_N).item(), reason)


def softmax_twice(loss: CrossEntropyConfig, scores_NK: Tensor, labels_N: Tensor) -> Trap:
    """Give probabilities to torch's cross-entropy, which expects scores."""
    torchs = nn.CrossEntropyLoss(label_smoothing=loss.label_smoothing)
    value = torchs(scores_NK.softmax(dim=1), labels_N).item()
    reason = "it takes scores and applies the softmax itself, here a second time"
    return Trap("torch.nn.CrossEntropyLoss of the p_j", value, reason)
