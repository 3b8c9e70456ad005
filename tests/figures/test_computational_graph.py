from itertools import combinations

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.transforms import Bbox

from cnn_train.errors import UsageError
from cnn_train.figures.computational_graph import Box, draw_computational_graph
from cnn_train.figures.style import GREEN

SLIDE_EDGES = [(0, 2), (1, 2), (0, 3), (2, 4), (3, 4)]
SKIPPING_EDGES = [(0, 1), (1, 2), (2, 3), (0, 3), (0, 2), (1, 3), (0, 1)]


def draw(edges: list[tuple[int, int]], notes: tuple[str, ...] = ()) -> Figure:
    num = 1 + max(target for _, target in edges)
    boxes = [Box(f"s{i}", f"v{i} = v{i} × v{i}", notes) for i in range(num)]
    figure = draw_computational_graph(boxes, edges, "f(x) = …")
    figure.draw_without_rendering()
    return figure


def boxes_of(figure: Figure) -> list[Bbox]:
    patches = figure.axes[0].patches
    return [patch.get_extents() for patch in patches if isinstance(patch, FancyBboxPatch)]


@pytest.mark.parametrize("edges", [SLIDE_EDGES, SKIPPING_EDGES])
def test_boxes_do_not_overlap_and_no_arrow_runs_through_one(edges: list[tuple[int, int]]) -> None:
    figure = draw(edges)
    boxes = boxes_of(figure)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == len(edges)
    for arrow, ends in zip(arrows, edges, strict=True):
        way = arrow.get_transform().transform(arrow.get_path().interpolated(20).vertices)
        for i, box in enumerate(boxes):
            if i not in ends:
                assert not any(box.contains(x, y) for x, y in way), (i, ends)


@pytest.mark.parametrize("notes", [(), ("= 6.909297",), ("= -0.4161468", "v̄10 = -1.827598e-07")])
def test_every_text_fits_into_its_box_and_no_two_overlap(notes: tuple[str, ...]) -> None:
    figure = draw(SLIDE_EDGES, notes)
    boxes, texts = boxes_of(figure), [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(texts) == len(boxes) * (2 + len(notes))
    for text in texts:
        (home,) = (box for box in boxes if box.contains(*text.get_points().mean(axis=0)))
        assert home.x0 <= text.x0 and text.x1 <= home.x1
        assert home.y0 <= text.y0 and text.y1 <= home.y1
    assert not any(a.overlaps(b) for a, b in combinations(texts, 2))


@pytest.mark.parametrize("num_terms", [5, 15, 40, 60])
def test_a_sum_of_many_terms_is_a_picture_for_a_screen(num_terms: int) -> None:
    inputs = [(i, num_terms - 1 + max(i, 1)) for i in range(num_terms)]
    sums = [(i, i + 1) for i in range(num_terms, 2 * num_terms - 2)]
    width, height = draw([*inputs, *sums]).get_size_inches()
    assert width <= 21 and height <= 0.5 * num_terms + 4


def test_a_deep_nest_is_a_picture_for_a_screen() -> None:
    width, height = draw([(i, i + 1) for i in range(49)]).get_size_inches()
    assert width <= 21 and height <= 12


def test_where_an_arrow_is_cut_both_its_ends_bear_the_name_of_the_node_it_leaves() -> None:
    figure = draw([*((i, i + 1) for i in range(19)), (3, 12), (3, 15)])
    texts = figure.axes[0].texts
    names = [text.get_text() for text in texts if text.get_ha() != "center"]
    assert sorted(names) == ["v13", "v13", "v3", "v3", "v3", "v3", "v6", "v6"]
    inside, window = figure.axes[0].bbox, figure.bbox
    for text in texts:
        box = text.get_window_extent()
        assert inside.x0 <= box.x0 and box.x1 <= min(inside.x1, window.x1)


def test_a_box_without_an_equation_is_named_by_its_symbol() -> None:
    assert [Box("pool3", "max pool").name, Box("×", "v3 = v1 × v2").name] == ["pool3", "v3"]


def test_a_long_name_stays_in_its_box() -> None:
    name = "a_rather_long_name_of_an_input"
    boxes = [Box(name, f"v1 = {name}", is_input=True), Box("max", "v100 = max(0.1234567, v99)")]
    figure = draw_computational_graph(boxes, [(0, 1)], "")
    figure.draw_without_rendering()
    for home, own in zip(boxes_of(figure), figure.axes[0].texts[1::2], strict=True):
        extent = own.get_window_extent()
        assert home.x0 < extent.x0 and extent.x1 < home.x1
    assert figure.axes[0].texts[3].get_text() == "v100 = max(0.1234567, v99)"


@pytest.mark.parametrize("num_terms", [2, 8, 40])
def test_a_long_title_is_folded_into_the_width_of_its_picture(num_terms: int) -> None:
    names = [f"x{i}" for i in range(1, num_terms + 1)]
    title = f"f({', '.join(names)}) = {'+'.join(names)}"
    boxes = [Box(name, "v1 = x1") for name in names]
    chain = [(i, i + 1) for i in range(num_terms - 1)]
    figure = draw_computational_graph(boxes, chain, title)
    figure.draw_without_rendering()
    (heading,) = figure.texts
    assert heading.get_text().replace("\n", "").replace(" ", "") == title.replace(" ", "")
    assert figure.bbox.x0 < heading.get_window_extent().x0
    assert heading.get_window_extent().y0 > max(box.y1 for box in boxes_of(figure))


def test_a_graph_too_large_for_a_picture_is_refused() -> None:
    with pytest.raises(UsageError, match=r"81 nodes in 80 rows .* draw a part of the formula"):
        draw([(i, 80) for i in range(80)])


def test_what_goes_back_has_an_arrow_and_a_label_that_touch_no_box() -> None:
    boxes = [Box(f"s{i}", f"v{i} = v{i} × v{i}", ("= 1",), ("v̄ = -0.4161468",)) for i in range(5)]
    back = ["-0.416", "", "3", "-1.29e-10", "1"]
    figure = draw_computational_graph(boxes, SLIDE_EDGES, "f(x) = …", back, "green: slopes")
    figure.draw_without_rendering()
    arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == len(SLIDE_EDGES) + 4
    labels = [text for text in figure.axes[0].texts if text.get_text() in back]
    assert sorted(text.get_text() for text in labels) == sorted(filter(None, back))
    extents = [text.get_window_extent() for text in labels]
    assert not any(box.overlaps(one) for box in boxes_of(figure) for one in extents)
    assert not any(a.overlaps(b) for a, b in combinations(extents, 2))
    assert figure.axes[0].get_xlabel() == "green: slopes"


def test_slopes_have_a_colour_of_their_own_and_all_letters_below_a_symbol_one_size() -> None:
    boxes = [Box("a", "v1 = a", ("= 2",), ("along b: 0",)), Box("max", "v2 = max(0.1234567, v1)")]
    figure = draw_computational_graph(boxes, [(0, 1)], "")
    texts = {text.get_text(): text for text in figure.axes[0].texts}
    assert texts["along b: 0"].get_color() == GREEN != texts["= 2"].get_color()
    small = {text.get_size() for name, text in texts.items() if name not in ("a", "max")}
    assert len(small) == 1
