import pytest

from cnn_train.figures.comparison import COLOURS, DASHES, MOST_CURVES, draw_comparison


def records(num_epochs: int) -> list[dict[str, float]]:
    return [
        {"epoch": e, "val_loss": 2 - e / 10, "val_accuracy": 0.1 * e, "best_epoch": min(e, 2)}
        for e in range(num_epochs)
    ]


@pytest.mark.parametrize("number", [1, 2, MOST_CURVES])
def test_each_run_has_a_colour_a_kind_of_line_and_a_name(number: int) -> None:
    curves = {f"run {i} $x$": records(4 + i) for i in range(number)}
    figure = draw_comparison(curves, "Runs")
    figure.draw_without_rendering()
    loss, accuracy = figure.axes
    for axes in (loss, accuracy):
        lines = [line for line in axes.lines if not line.get_label().startswith("_")]
        looks = {(line.get_color(), str(line._dash_pattern)) for line in lines}
        assert len(looks) == len(lines) == number
        assert axes.get_xlim() == (0.5, 4 + number - 1 + 0.5)
    assert list(accuracy.lines[0].get_xdata()) == [1, 2, 3, 4]
    assert list(accuracy.lines[0].get_ydata()) == pytest.approx([0, 10, 20, 30])
    stars = [line for line in accuracy.lines if line.get_marker() == "*"]
    assert [list(star.get_xdata()) for star in stars] == [[3]] * number
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(curves)


def test_no_two_curves_look_alike() -> None:
    assert len(set(COLOURS)) == len(DASHES) == MOST_CURVES


def test_runs_without_an_epoch_or_a_field_are_drawn_as_far_as_they_go() -> None:
    curves = {"a": [], "b": [{"epoch": 0, "val_accuracy": 0.5, "best_epoch": 0}], "c": records(1)}
    draw_comparison(curves, "Runs").draw_without_rendering()


def test_where_a_branch_left_its_run_both_curves_part() -> None:
    both = [record | {"step": 10 * e + 10} for e, record in enumerate(records(4))]
    for step, epoch, shared in ((25, 2.5, [2]), (20, 2, [2]), (5, 0.5, []), (0, 0, [])):
        figure = draw_comparison({"a": both, "b": both}, "Runs", {"a": None, "b": step})
        for axes in figure.axes:
            lines = [line for line in axes.lines if line.get_linestyle() == ":"]
            assert [list(line.get_xdata()) for line in lines] == [[epoch, epoch]]
            assert axes.get_xlim()[0] < epoch
            diamonds = [line for line in axes.lines if line.get_marker() == "D"]
            assert [x for diamond in diamonds for x in diamond.get_xdata()] == shared
        heights = [line.get_ydata()[0] for line in figure.axes[1].lines if line.get_marker() == "D"]
        assert heights == pytest.approx([10] * len(shared))
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        assert names == ["a", f"b  (leaves its run after update {step})"]
