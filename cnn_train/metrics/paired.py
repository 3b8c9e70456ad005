"""Whether one model is better than another, from the same images judged by both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p-value of McNemar's test; 1 where the models never disagree.

    The images on which exactly one of two models is right fall to either side as a fair coin does
    if the models are equally good: p is the chance of a split at least so uneven. Logarithms of
    the gamma function keep large counts finite. Source: Q. McNemar, Psychometrika 12 (1947).
    """
    total, fewer = only_first + only_second, min(only_first, only_second)
    scale = math.lgamma(total + 1) - total * math.log(2)
    ways = (math.lgamma(k + 1) + math.lgamma(total - k + 1) for k in range(fewer + 1))
    return min(1.0, 2 * math.fsum(math.exp(scale - way) for way in ways))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct the p-values of several tests, so that one false finding of all is rare.

    The smallest of m is multiplied by m, the next by m − 1, and none may become smaller than the
    one before it. Source: S. Holm, Scandinavian Journal of Statistics 6 (1979), 65–70.
    """
    corrected, least = [*p_values], 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = corrected[i] = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
    return corrected


@dataclass(frozen=True)
class PairTest:
    """Two models on the same images, by their numbers: on how many exactly one of them is right.

    p: of McNemar's exact test, corrected by Holm's rule where there were several tests.
    """

    first: int
    second: int
    only_first: int
    only_second: int
    p: float


def compare_pairs(right: Sequence[Sequence[bool]]) -> tuple[PairTest, ...]:
    """Test two models; of more, each against the one that is right most often.

    ``right``: for every model, whether it is right, image by image in the same order.
    """
    best = max(range(len(right)), key=lambda i: sum(right[i])) if len(right) > 2 else 0
    pairs = []
    for other in (i for i in range(len(right)) if i != best):
        both = list(zip(right[best], right[other], strict=True))
        pairs.append((best, other, both.count((True, False)), both.count((False, True))))
    p_values = holm([mcnemar(only_best, only_other) for *_, only_best, only_other in pairs])
    return tuple(PairTest(*pair, p) for pair, p in zip(pairs, p_values, strict=True))
