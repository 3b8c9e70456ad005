from io import StringIO

from benchmarks.measuring import Spread
from benchmarks.rows import Row, Target, compare_seconds, compare_speeds, make_table

from cnn_train.cli.console import stdout


def render(*rows: Row) -> str:
    """Show the rows on a screen like the program's, where every letter stands for itself."""
    screen = type(stdout)(file=StringIO(), width=160)
    screen.print(make_table("title", rows))
    assert isinstance(screen.file, StringIO)
    return screen.file.getvalue()


def test_twice_the_speed_and_half_the_time_are_both_a_ratio_of_two() -> None:
    faster = compare_speeds("part", "name", "images/s", [200.0], [100.0])
    shorter = compare_seconds("part", "name", [1.0], [2.0])
    assert faster.ratio == shorter.ratio == Spread.of([2.0])


def test_a_row_shows_the_median_with_its_spread_and_whether_the_target_is_kept() -> None:
    kept = compare_speeds(
        "part", "kept", "images/s", [1500.0, 1400.0, 1600.0], [750.0, 700.0, 800.0],
        tflops=0.25, of_ceiling=0.5, target=Target("≥ 1", True),
    )  # fmt: skip
    missed = compare_seconds("part", "missed", [3.0], [1.5], target=Target("< 2 s", False))
    text = render(kept, missed)
    assert "1,500 [1,400–1,600]" in text and "750 [700–800]" in text
    assert "0.250" in text and "50 %" in text
    assert "≥ 1 pass" in text and "< 2 s MISS" in text and "0.5" in text


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    headings = render(Row("part", "name", "s", Spread.of([1.0]))).splitlines()[2].split()
    assert headings == ["figure", "unit", "ours"]
