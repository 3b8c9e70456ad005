import pytest
import torch

from cnn_train.figures.embedding import draw_embedding


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
