import pytest

from cnn_train.figures.learning_curves import draw_learning_curves


def records(num_epochs: int, penalty: float = 0.3) -> list[dict[str, float]]:
    best = num_epochs // 2
    return [
        {
            "epoch": epoch,
            "train_loss": 2.0 / (epoch + 1),
            "train_penalty": penalty,
            "train_accuracy": 0.5,
            "val_loss": 2.2 / (epoch + 1),
            "val_accuracy": 0.6 if epoch == best else 0.4,
            "lr": 0.1,
        }
        for epoch in range(num_epochs)
    ]


def lines(axes) -> dict[str, tuple[list[float], list[float]]]:
    return {line.get_label(): tuple(map(list, line.get_data())) for line in axes.lines}


def test_epochs_count_from_one_and_accuracies_are_in_percent():
    loss, accuracy, rate = draw_learning_curves(records(3), "A run").axes
    assert lines(loss)["training"] == ([1, 2, 3], [2.0, 1.0, pytest.approx(2 / 3)])
    assert lines(loss)["regularisation λR(W)"] == ([1, 2, 3], [0.3, 0.3, 0.3])
    assert lines(accuracy)["validation"] == ([1, 2, 3], [40.0, 60.0, 40.0])
    assert lines(rate)["learning rate"] == ([1, 2, 3], [0.1, 0.1, 0.1])


def test_the_best_validation_epoch_is_marked():
    accuracy = draw_learning_curves(records(5), "A run").axes[1]
    assert lines(accuracy)["best: 60.00 % in epoch 3"] == ([3], [60.0])


def test_no_regularisation_draws_no_line_for_it():
    loss = draw_learning_curves(records(3, penalty=0.0), "A run").axes[0]
    assert "regularisation λR(W)" not in lines(loss)


@pytest.mark.parametrize("num_epochs", [1, 2, 41, 300])
def test_any_number_of_epochs_can_be_drawn_with_whole_numbers_on_the_axis(num_epochs):
    figure = draw_learning_curves(records(num_epochs), "A run")
    figure.draw_without_rendering()
    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks and all(tick == int(tick) for tick in ticks)


def test_where_a_branch_left_its_run_is_marked_at_its_update_in_every_panel():
    steps = [record | {"step": 4 * record["epoch"] + 4} for record in records(3)]
    panels = draw_learning_curves(steps, "A run", departure=10).axes
    assert all([2.5, 2.5] in [list(line.get_xdata()) for line in axes.lines] for axes in panels)
    early = draw_learning_curves(steps, "A run", departure=1).axes
    assert all(axes.get_xlim()[0] < 0.25 < panels[0].get_xlim()[0] for axes in early)
    assert panels[2].get_title("left") == "Left its run after update 10, at the dark dotted line"
