import torch
from matplotlib.colors import to_hex

from cnn_train.figures.number_grids import Grid, draw_number_grids


def test_every_number_title_sign_and_note_is_written_and_tables_do_not_overlap() -> None:
    patch, weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[5.0, 6.0, 7.0]])
    row = [Grid(patch, "patch", "·234"), "×", Grid(weights, "weights", "567"), Grid(patch, "map")]
    figure = draw_number_grids([("a heading", row)], "title", ["a note"])
    (axes,) = figure.axes
    words = [text.get_text() for text in axes.texts]
    assert words == ["a heading", *"·234", "patch", "×", *"567", "weights", "map"]
    assert axes.get_xlabel() == "a note"
    extents = [image.get_extent() for image in axes.images]
    (left, right), (start, end), (first, last) = (sorted(extent[:2]) for extent in extents)
    assert (right - left, end - start, last - first) == (2, 3, 3)  # a map is three cells high
    assert right < start and end < first
    assert to_hex(axes.images[0].get_array()[0, 0]) == "#dde0e4"  # padding is grey
