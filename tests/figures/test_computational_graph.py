from itertools import combinations

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.transforms import Bbox

from cnn_train.errors import UsageError
from cnn_train.figures.computational_graph import MOST_COLUMNS, Box, draw_computational_graph

SLIDE_EDGES = [(0, 2), (1, 2), (0, 3), (2, 4), (3, 4)]
SKIPPING_EDGES = [(0, 1), (1, 2), (2, 3), (0, 3), (0, 2), (1, 3), (0, 0 + 1)]


def draw(edges: list[tuple[int, int]], notes: tuple[str, ...] = ()) -> Figure:
    num = 1 + max(target for _, target in edges)
    boxes = [Box(f"s{i}", f"v{i} = v{i} × v{i}", notes) for i in range(num)]
    figure = draw_computational_graph(boxes, edges, "f(x) = …")
    figure.canvas.draw()
    return figure


def boxes_of(figure: Figure) -> list[Bbox]:
    patches = figure.axes[0].patches
    return [one.get_extents() for one in patches if isinstance(one, FancyBboxPatch)]


@pytest.mark.parametrize("edges", [SLIDE_EDGES, SKIPPING_EDGES])
def test_boxes_do_not_overlap_and_no_arrow_runs_through_one(edges: list[tuple[int, int]]) -> None:
    figure = draw(edges)
    boxes = boxes_of(figure)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    arrows = [one for one in figure.axes[0].patches if isinstance(one, FancyArrowPatch)]
    assert len(arrows) == len(edges)
    for arrow, ends in zip(arrows, edges, strict=True):
        way = arrow.get_transform().transform(arrow.get_path().interpolated(20).vertices)
        for i, box in enumerate(boxes):
            if i not in ends:
                assert not any(box.contains(x, y) for x, y in way), (i, ends)


@pytest.mark.parametrize("notes", [(), ("= 6.909297",), ("= -0.4161468", "v̄10 = -1.827598e-07")])
def test_every_text_fits_into_its_box_and_no_two_overlap(notes: tuple[str, ...]) -> None:
    figure = draw(SLIDE_EDGES, notes)
    boxes, texts = boxes_of(figure), [one.get_window_extent() for one in figure.axes[0].texts]
    assert len(texts) == len(boxes) * (2 + len(notes))
    for text in texts:
        (home,) = (box for box in boxes if box.contains(*text.get_points().mean(axis=0)))
        assert home.x0 <= text.x0 and text.x1 <= home.x1
        assert home.y0 <= text.y0 and text.y1 <= home.y1
    assert not any(a.overlaps(b) for a, b in combinations(texts, 2))


def test_a_graph_too_long_for_a_picture_is_refused() -> None:
    chain = [(i, i + 1) for i in range(MOST_COLUMNS)]
    with pytest.raises(UsageError, match=f"at most {MOST_COLUMNS}"):
        draw(chain)
