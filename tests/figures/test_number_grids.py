import torch

from cnn_train.figures.number_grids import Grid, draw_number_grids


def test_every_number_title_sign_and_note_is_written_and_tables_do_not_overlap() -> None:
    patch, weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[5.0, 6.0, 7.0]])
    figure = draw_number_grids(
        [
            [
                Grid(patch, "patch", "1234", grey=frozenset({(0, 0)})),
                "×",
                Grid(weights, "weights", "567"),
            ]
        ],
        "title",
        ["a note"],
        headings=["a heading"],
    )
    (axes,) = figure.axes
    words = [text.get_text() for text in axes.texts]
    assert words == ["a heading", "patch", *"1234", "×", "weights", *"567"]
    assert axes.get_xlabel() == "a note"
    (left, right), (start, end) = (sorted(image.get_extent()[:2]) for image in axes.images)
    assert (right - left, end - start) == (2, 3) and right < start
