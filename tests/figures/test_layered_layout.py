from itertools import pairwise

import pytest

from cnn_train.figures.layered_layout import arrange, count_crossings

GRAPHS = {
    "slide": (5, [(0, 2), (1, 2), (0, 3), (2, 4), (3, 4)]),
    "skips": (5, [(0, 1), (1, 2), (2, 3), (0, 3), (0, 4), (3, 4)]),
    "twice": (2, [(0, 1), (0, 1)]),
    "single": (1, []),
}
every_graph = pytest.mark.parametrize(("num_nodes", "edges"), GRAPHS.values(), ids=GRAPHS)


@every_graph
def test_arrows_go_to_the_right_one_column_at_a_time(
    num_nodes: int, edges: list[tuple[int, int]]
) -> None:
    layout = arrange(num_nodes, edges)
    assert len(layout.arrows) == len(edges)
    for (source, target), arrow in zip(edges, layout.arrows, strict=True):
        assert (arrow[0], arrow[-1]) == (layout.nodes[source], layout.nodes[target])
        assert all(b[0] - a[0] == 1 for a, b in pairwise(arrow))


@every_graph
def test_no_two_things_share_a_place(num_nodes: int, edges: list[tuple[int, int]]) -> None:
    layout = arrange(num_nodes, edges)
    places = [*layout.nodes, *(point for arrow in layout.arrows for point in arrow[1:-1])]
    assert len(set(places)) == len(places)


def test_crossings_are_counted_and_untangled() -> None:
    crossed = [(0, 3), (1, 2)]
    assert count_crossings([[0, 1], [2, 3]], crossed) == 1
    layout = arrange(4, crossed)
    order = [layout.nodes[0][1] < layout.nodes[1][1], layout.nodes[3][1] < layout.nodes[2][1]]
    assert order[0] == order[1]


def test_the_size_is_that_of_the_fullest_column() -> None:
    layout = arrange(5, GRAPHS["slide"][1])
    assert (layout.num_columns, layout.num_rows) == (3, 2)
