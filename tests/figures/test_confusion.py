import pytest
import torch

from cnn_train.figures.confusion import draw_confusion


def test_cells_show_the_counts_and_shades_show_the_share_of_the_true_class():
    axes = draw_confusion(torch.tensor([[6, 2], [0, 5]]), ("cat", "dog"), "Confusion").axes[0]
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    assert counts == {(0, 0): "6", (1, 0): "2", (1, 1): "5"}
    assert axes.images[0].get_array().tolist() == [[75, 25], [0, 100]]
    assert "square-root scale" in axes.figure.axes[1].get_ylabel()


def test_rows_are_true_and_columns_predicted_classes():
    figure = draw_confusion(torch.eye(2, dtype=torch.int64), ("cat", "a$b$"), "Confusion of $x$")
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "a$b$"]
    figure.draw_without_rendering()  # dollar signs would start a formula
    assert figure.get_suptitle() == "Confusion of $x$"


def test_a_class_without_images_is_an_empty_row():
    axes = draw_confusion(torch.tensor([[0, 0], [1, 3]]), ("cat", "dog"), "Confusion").axes[0]
    assert axes.images[0].get_array().tolist() == [[0, 0], [25, 75]]


@pytest.mark.parametrize(
    ("num_classes", "numbers", "names"), [(20, True, True), (21, False, True), (61, False, False)]
)
def test_many_classes_lose_first_the_numbers_then_the_names(num_classes, numbers, names):
    class_names = [f"class {i}" for i in range(num_classes)]
    figure = draw_confusion(torch.eye(num_classes, dtype=torch.int64), class_names, "Confusion")
    axes = figure.axes[0]
    assert bool(axes.texts) == numbers
    figure.draw_without_rendering()
    assert ("class 0" in [label.get_text() for label in axes.get_xticklabels()]) == names
