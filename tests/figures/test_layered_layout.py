from itertools import pairwise

import pytest

from cnn_train.figures.layered_layout import Layout, arrange, count_crossings

SUM = [(0, 20), (1, 20), *((i, 19 + i) for i in range(2, 20)), *((i, i + 1) for i in range(20, 38))]
"""x0 + x1 + … + x19: nodes 0 to 19 are inputs, 20 to 38 the sums from left to right."""

POWERS = [
    *((0, i) for i in range(1, 21)),
    *((i, 19 + i) for i in range(2, 21)),
    (1, 21), *((i, i + 1) for i in range(21, 39)),
]  # fmt: skip
"""x + x**2 + …: node 0 is x, 1 to 20 are its powers, 21 to 39 the sums from left to right."""

GRAPHS = {
    "slide": (5, [(0, 2), (1, 2), (0, 3), (2, 4), (3, 4)]),
    "skips": (5, [(0, 1), (1, 2), (2, 3), (0, 3), (0, 4), (3, 4)]),
    "twice": (2, [(0, 1), (0, 1)]),
    "single": (1, []),
    "sum": (39, SUM),
    "powers": (40, POWERS),
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
def test_no_two_things_share_a_place_but_arrows_from_the_same_node(
    num_nodes: int, edges: list[tuple[int, int]]
) -> None:
    layout = arrange(num_nodes, edges)
    lanes = {(a, p) for (a, _), way in zip(edges, layout.arrows, strict=True) for p in way[1:-1]}
    places = [*layout.nodes, *(point for _, point in lanes)]
    assert len(set(places)) == len(places)


def num_rows(layout: Layout) -> int:
    ys = [y for _, y in (*layout.nodes, *(point for arrow in layout.arrows for point in arrow))]
    return 1 + round(max(ys) - min(ys))


def test_crossings_are_counted_and_untangled() -> None:
    crossed = [(0, 3), (1, 2)]
    assert count_crossings([[0, 1], [2, 3]], crossed) == 1
    layout = arrange(4, crossed)
    order = [layout.nodes[0][1] < layout.nodes[1][1], layout.nodes[3][1] < layout.nodes[2][1]]
    assert order[0] == order[1]


def test_the_size_is_that_of_the_fullest_column() -> None:
    layout = arrange(5, GRAPHS["slide"][1])
    assert (layout.num_columns, num_rows(layout)) == (3, 2)


@pytest.mark.parametrize(("num_nodes", "edges", "most_rows"), [(39, SUM, 2), (40, POWERS, 3)])
def test_a_long_sum_is_a_flat_staircase_whose_terms_stand_beside_their_use(
    num_nodes: int, edges: list[tuple[int, int]], most_rows: int
) -> None:
    layout = arrange(num_nodes, edges)
    assert num_rows(layout) <= most_rows
    assert layout.num_columns <= 21


def test_in_a_low_graph_all_inputs_stand_in_the_first_column() -> None:
    layout = arrange(7, [(0, 4), (1, 4), (4, 5), (2, 5), (5, 6), (3, 6)])
    assert [x for x, _ in layout.nodes[:4]] == [0, 0, 0, 0]
