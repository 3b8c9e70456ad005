import math
from collections.abc import Sequence

import pytest

from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.numerical import (
    centred_differences,
    errors_against_step,
    forward_differences,
    largest_error,
)

AT, EXACT = [2.0, 3.0], [3 + math.cos(2), 2.0]


def f(point: Sequence[float]) -> float:
    return point[0] * point[1] + math.sin(point[0])


def test_the_errors_at_1e_5_are_those_of_the_lecture() -> None:
    forward = largest_error(forward_differences(f, AT, 1e-5), EXACT)
    centred = largest_error(centred_differences(f, AT, 1e-5), EXACT)
    assert f"{forward:.1e}" == "1.8e-06"
    assert f"{centred:.1e}" == "2.5e-11"


def test_the_error_against_h_is_a_u() -> None:
    curve = {f"{error.h:.0e}": error for error in errors_against_step(f, AT, EXACT)}
    assert list(curve) == [f"1e-{k:02}" for k in range(1, 16)]
    errors = [curve[h].centred for h in ("1e-01", "1e-03", "1e-05", "1e-12", "1e-15")]
    centred = [error for error in errors if error is not None]
    assert centred[0] > centred[1] > centred[2] < centred[3] < centred[4]
    forward = [error.forward for error in curve.values() if error.forward is not None]
    assert min(forward) == curve["1e-08"].forward < forward[0] and min(forward) < forward[-1]


def test_forward_errors_fall_with_h_and_centred_ones_with_h_squared() -> None:
    first, second = errors_against_step(f, AT, EXACT)[1:3]
    assert first.forward and second.forward and first.centred and second.centred
    assert first.forward / second.forward == pytest.approx(10, rel=0.01)
    assert first.centred / second.centred == pytest.approx(100, rel=0.01)


def test_a_step_that_leaves_the_domain_has_no_error() -> None:
    graph = parse_expressions(["log(x)"])
    errors = errors_against_step(lambda point: graph.evaluate(point)[-1], [0.05], [20.0])
    assert errors[0].centred is None and errors[0].forward is not None
    assert errors[4].centred is not None


def test_an_error_is_absolute_where_the_slope_is_zero() -> None:
    assert largest_error([0.25, 2.2], [0.0, 2.0]) == 0.25
