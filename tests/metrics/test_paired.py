"""McNemar's exact test and Holm's correction, against coins counted by hand and known values."""

from itertools import product

import pytest

from cnn_train.metrics.paired import PairTest, compare_pairs, holm, mcnemar


@pytest.mark.parametrize("total", range(1, 11))
def test_p_is_the_share_of_coin_tosses_at_least_so_uneven(total: int) -> None:
    tosses = [sum(toss) for toss in product((0, 1), repeat=total)]
    for heads in range(total + 1):
        uneven = abs(2 * heads - total)
        share = sum(abs(2 * other - total) >= uneven for other in tosses) / len(tosses)
        assert mcnemar(heads, total - heads) == pytest.approx(share, rel=1e-12)


def test_known_values_hold() -> None:
    """Agresti's approval of the prime minister, 150 against 86 (R: binom.test), and the sides."""
    assert mcnemar(86, 150) == mcnemar(150, 86) == pytest.approx(3.716e-05, rel=2e-3)
    assert mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(0, 0) == mcnemar(7, 7) == 1


def test_large_counts_are_finite_and_near_the_normal_curve() -> None:
    from statistics import NormalDist

    expected = 2 * NormalDist().cdf(-999 / 201_000**0.5)
    assert mcnemar(100_000, 101_000) == pytest.approx(expected, rel=5e-3)
    assert mcnemar(0, 100_000) == 0


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_two_models_are_tested_in_their_order_and_more_against_the_best() -> None:
    a, b, c = (
        [letter == "1" for letter in text] for text in ("110000000", "011111100", "111111110")
    )
    (pair,) = compare_pairs([a, b])
    assert pair == PairTest(0, 1, 1, 5, mcnemar(1, 5))
    tests = compare_pairs([a, b, c])
    assert [(t.first, t.second, t.only_first, t.only_second) for t in tests] == [
        (2, 0, 6, 0), (2, 1, 2, 0),
    ]  # fmt: skip
    assert [t.p for t in tests] == pytest.approx([2 * mcnemar(6, 0), mcnemar(2, 0)])
