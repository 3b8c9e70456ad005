import pytest
import torch

from cnn_train.figures.embedding import draw_embedding, spread_out


@pytest.mark.parametrize("num_classes", [3, 10, 60])
def test_every_point_has_its_place_and_each_class_that_occurs_its_name(num_classes: int) -> None:
    names = [f"a$b${label}" for label in range(num_classes)]
    map_N2 = torch.arange(20.0).view(10, 2)
    labels_N = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 2])
    figure = draw_embedding(map_N2, labels_N, names, axis_names=("x", "y"), title="map")
    (axes,) = figure.axes
    points = [collection.get_offsets() for collection in axes.collections]
    assert [len(points_M2) for points_M2 in points] == [3, 3, 4]
    assert points[1].tolist() == map_N2[labels_N == 1].tolist()
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == names[:3]
    figure.draw_without_rendering()


def test_images_that_are_shown_are_the_first_that_do_not_lie_on_each_other() -> None:
    map_N2 = torch.tensor([[0.0, 0.0], [0.01, 0.01], [10.0, 0.02], [10.0, 4.0], [9.9, 3.9]])
    assert spread_out(map_N2) == [0, 2, 3]
    pictures = [torch.full((4, 4, 3), i, dtype=torch.uint8) for i in range(5)]
    figure = draw_embedding(
        map_N2, torch.zeros(5, dtype=torch.int64), ["a"], axis_names=("x", "y"), title="map",
        pictures=pictures,
    )  # fmt: skip
    (axes,) = figure.axes
    assert [tuple(box.xy) for box in axes.artists] == [tuple(map_N2[i].tolist()) for i in (0, 2, 3)]
    figure.draw_without_rendering()
