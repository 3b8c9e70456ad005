from torture_campaign.rows import Count, Measure, Row, make_table

from cnn_train.cli.console import stdout


def test_a_count_is_whole_when_all_of_some_attempts_ended_well() -> None:
    assert Count.of_outcomes([True, True]).is_whole
    assert not Count.of_outcomes([True, False]).is_whole
    assert not Count.of_outcomes([]).is_whole
    assert str(Count(1_000, 1_200)) == "1,000/1,200"


def test_a_measure_promises_nothing() -> None:
    assert Row("cost", "a save", Measure(12.34, "ms")).is_kept
    assert str(Measure(12.34, "ms")) == "12.3 ms"


def test_a_table_shows_both_columns_and_the_note() -> None:
    """On a screen like the program's, where every letter stands for itself."""
    console = type(stdout)(width=100, record=True)
    kept = Row("part", "kept", Count(3, 3), Count(1, 3), "why [n]")
    lost = Row("part", "lost [2]", Count(2, 3))
    console.print(make_table("part", [kept, lost]))
    lines = [line.split() for line in console.export_text().splitlines()[-2:]]
    assert lines == [["kept", "3/3", "1/3", "why", "[n]"], ["lost", "[2]", "2/3"]]
