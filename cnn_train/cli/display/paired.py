"""A paired test in words: who is right where the other is wrong, and whether that is chance."""

from collections.abc import Sequence

from ...evaluation.paired import Paired
from ...metrics.paired import PairTest
from ...page import Block, count_images, numbers, percent, texts

RARE = 0.05
"""A p-value below which a difference counts: the usual, arbitrary one (Fisher, 1925)."""


def paired_blocks(
    paired: Paired, names: Sequence[str], labels: Sequence[str], images: str, note: str = ""
) -> tuple[Block, Block]:
    """List the accuracies, then say in a sentence per test which model is better.

    names: of the models, in sentences; labels: in the table. images: what these are, behind their
    number. note: what else to know of them.
    """
    left_out = f"; {paired.num_left_out:,} others were trained on" if paired.num_left_out else ""
    doubt = "" if paired.all_known else "it is not known of all models what they were trained on"
    ends = paired.accuracy_intervals
    intervals = [f"{100 * low:.2f} to {100 * high:.2f} %" for low, high in ends]
    accuracies = Block(
        f"{count_images(paired.num_images)} {images}{left_out}",
        columns=(*texts(""), *numbers("right", "accuracy", "95 % interval")),
        rows=tuple(
            (label, f"{right:,}", percent(right / paired.num_images, 2), interval)
            for label, right, interval in zip(labels, paired.num_correct, intervals, strict=True)
        ),
    )
    several = f", corrected for {len(paired.tests)} tests (Holm)" if len(paired.tests) > 1 else ""
    verdicts = Block(
        lines=tuple(describe_test(test, names) for test in paired.tests),
        notes=(
            f"p: how likely equally good models differ so much (McNemar's exact test{several})",
            *filter(None, (note, doubt)),
        ),
    )
    return accuracies, verdicts


def describe_test(test: PairTest, names: Sequence[str]) -> str:
    """Say who is right where the other is wrong, the better one first."""
    sides = [(test.only_first, names[test.first]), (test.only_second, names[test.second])]
    (more, better), (fewer, other) = sides if test.only_first >= test.only_second else sides[::-1]
    p = "p < 0.0001" if test.p < 0.0001 else f"p = {test.p:.2g}"
    verdict = f"{better} is better" if test.p < RARE else "not distinguishable on these images"
    return (
        f"{better} is right on {count_images(more)} where {other} is wrong, {other} on {fewer:,} "
        f"where {better} is wrong: {p}; {verdict}"
    )
