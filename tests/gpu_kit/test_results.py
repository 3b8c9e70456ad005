from pathlib import Path

import pytest
from benchmarks.measuring import Spread
from benchmarks.rows import Row, Target, compare_seconds, render_markdown
from gpu_kit.results import Results, merge_samples


def sample(name: str, value: float) -> Row:
    return Row("part", name, "s", Spread.of([value]))


def test_samples_of_a_figure_become_one_row_with_mean_and_deviation() -> None:
    rows = [sample("a", 1.0), sample("b", 5.0), sample("a", 2.0), sample("a", 6.0)]
    merged, alone = merge_samples(rows)
    assert (merged.name, merged.ours) == ("a", Spread(2.0, 1.0, 6.0, 3))
    assert (
        merged.note == "n = 3, mean 3, standard deviation 2.6"
    )  # squares of −2, −1 and 3: 14 / 2 = 7
    assert alone is rows[1]


def test_rows_that_say_more_than_a_number_stay_as_they_are() -> None:
    rows = [Row("tests", "failed", "", Spread.of([1]), note=why) for why in ("this", "that")]
    assert merge_samples(rows) == rows


def test_a_row_comes_back_from_json_as_it_was() -> None:
    row = compare_seconds("part", "name", [3.0], [1.5], target=Target("< 2 s", False), note="n")
    assert Row.from_json(row.to_json()) == row
    assert Row.from_json(sample("a", 1.0).to_json()) == sample("a", 1.0)


def test_markdown_leaves_empty_columns_out_and_escapes_bars() -> None:
    kept = Row("p", "a | b", "s", Spread.of([1.0]), target=Target("< 2", True))
    assert render_markdown([kept]) == (
        "| figure | unit | measured | target |\n"
        "| --- | --- | ---: | --- |\n"
        "| a \\| b | s | 1 | < 2 pass |\n"
    )


@pytest.mark.parametrize(
    ("state", "kept", "wrong"),
    [
        ("done", True, False),
        ("done", False, True),
        ("failed", True, True),
        ("skipped", True, False),
    ],
)
def test_a_step_goes_wrong_by_its_end_or_by_a_target_missed(
    tmp_path: Path, state: str, kept: bool, wrong: bool
) -> None:
    results = Results(tmp_path, {})
    step = results.begin("tests")
    row = Row("tests", "passed", "tests", Spread.of([3]), target=Target("none fails", kept))
    results.add(step, row.to_json())
    results.end(step, state)
    assert step.went_wrong == wrong
