from itertools import pairwise

import pytest

from cnn_train.figures.band_wrapping import MARGIN, wrap
from cnn_train.figures.layered_layout import arrange

CHAIN = [(i, i + 1) for i in range(19)]
SKIPPING = [*CHAIN, (0, 19), (3, 12), (3, 15)]
every_graph = pytest.mark.parametrize("edges", [CHAIN, SKIPPING], ids=["chain", "skipping"])


def test_a_graph_that_fits_is_not_wrapped() -> None:
    layout = arrange(20, CHAIN)
    bands = wrap(layout, 20)
    assert (bands.num_columns, bands.num_rows, bands.is_wrapped) == (20, 1, False)
    assert [x for x, _ in bands.nodes] == [x for x, _ in layout.nodes]
    assert all(len(pieces) == 1 and not pieces[0].goes_on for pieces in bands.arrows)


@every_graph
def test_bands_are_equally_wide_and_below_each_other(edges: list[tuple[int, int]]) -> None:
    bands = wrap(arrange(20, edges), 8)
    assert bands.num_columns == 7 and bands.is_wrapped  # 7 + 7 + 6, not 8 + 8 + 4
    assert [int(x) for x, _ in bands.nodes] == [i % 7 for i in range(20)]
    for number, (above, below) in enumerate(pairwise(y for _, y in bands.nodes), start=1):
        assert (below > above + 0.5) if number % 7 == 0 else (abs(below - above) < 3)
    assert len(set(bands.nodes)) == 20
    assert all(0.5 <= y <= bands.num_rows - 0.5 for _, y in bands.nodes)


@every_graph
def test_an_arrow_goes_on_in_the_next_band_where_it_was_cut(edges: list[tuple[int, int]]) -> None:
    layout = arrange(20, edges)
    bands = wrap(layout, 8)
    for (source, target), way, pieces in zip(edges, layout.arrows, bands.arrows, strict=True):
        assert len(pieces) == 1 + target // 7 - source // 7
        assert pieces[0].points[0] == bands.nodes[source] and not pieces[0].comes_from
        assert pieces[-1].points[-1] == bands.nodes[target] and not pieces[-1].goes_on
        for piece, following in pairwise(pieces):
            assert piece.goes_on and following.comes_from
            assert piece.points[-1] == (6 + MARGIN, piece.points[-2][1])
            assert following.points[0][0] == -MARGIN
        cuts = 2 * (len(pieces) - 1)
        assert sum(len(piece.points) for piece in pieces) == len(way) + cuts


def test_arrows_that_are_cut_at_one_margin_end_in_different_rows() -> None:
    bands = wrap(arrange(20, SKIPPING), 8)
    pieces = {(pieces[0].points[0], piece) for pieces in bands.arrows for piece in pieces}
    for end, is_cut in ((-1, "goes_on"), (0, "comes_from")):
        cuts = {(start, piece.points[end]) for start, piece in pieces if getattr(piece, is_cut)}
        places = [place for _, place in cuts]
        assert len(places) > 2 and len(set(places)) == len(places)
