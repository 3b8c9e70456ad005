"""Where the nodes and arrows of a graph go: in columns, each node right of all that it uses.

Arrows that span several columns get a place in each of them, one for all that leave the same node,
so they never run through another node. Within the columns the order is improved until fewer arrows
cross (Sugiyama et al., 1981).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

Point = tuple[float, float]

SWEEPS = 8

TALL = 8
"""With more rows than this, a node stands just left of its first use, not as far left as it can."""


@dataclass(frozen=True)
class Layout:
    """Places in units of (column, row): a point per node, and the points of each arrow's way."""

    nodes: tuple[Point, ...]
    arrows: tuple[tuple[Point, ...], ...]

    @property
    def num_columns(self) -> int:
        """The number of columns."""
        return 1 + max(int(x) for x, _ in self.nodes)


def arrange(num_nodes: int, edges: Sequence[tuple[int, int]]) -> Layout:
    """Place nodes 0 … num_nodes − 1; an edge (from, to) goes to a node of a higher number."""
    level = _early_levels(num_nodes, edges)
    chains, levels = _make_chains(level, edges)
    if max(Counter(levels).values()) > TALL:
        chains, levels = _make_chains(_late_levels(level, edges), edges)
    columns = [
        [i for i, x in enumerate(levels) if x == column] for column in range(max(levels) + 1)
    ]
    links = list(dict.fromkeys(link for chain in chains for link in pairwise(chain)))
    y = _rows(_untangle(columns, links))
    points = [(float(x), y[i]) for i, x in enumerate(levels)]
    return Layout(
        tuple(points[:num_nodes]), tuple(tuple(points[i] for i in chain) for chain in chains)
    )


def _early_levels(num_nodes: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return each node's column, as far left as what it uses allows."""
    level = [0] * num_nodes
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        level[target] = max(level[target], level[source] + 1)
    return level


def _late_levels(early: Sequence[int], edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return each node's column, as far right as its uses allow; without a use, as in ``early``."""
    level = list(early)
    first_use: dict[int, int] = {}
    for source, target in sorted(edges, reverse=True):  # all uses of a source are settled before it
        first_use[source] = min(first_use.get(source, level[target]), level[target])
        level[source] = first_use[source] - 1
    return level


def _make_chains(
    level: Sequence[int], edges: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, ...]], list[int]]:
    """Return the places that each edge passes, and every place's column, those of nodes first."""
    levels, lanes = list(level), dict[int, list[int]]()
    chains = []
    for source, target in edges:
        lane = lanes.setdefault(source, [])
        for column in range(level[source] + 1 + len(lane), level[target]):
            lane.append(len(levels))
            levels.append(column)
        chains.append((source, *lane[: level[target] - level[source] - 1], target))
    return chains, levels


def _untangle(columns: list[list[int]], links: list[tuple[int, int]]) -> list[list[int]]:
    """Sweep forth and back a few times; return the order with the fewest crossings."""
    best = columns
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        columns = _sort_by_neighbours(columns, links, forth=forth)
        best = min(best, columns, key=lambda order: count_crossings(order, links))
    return best


def _sort_by_neighbours(
    columns: list[list[int]], links: list[tuple[int, int]], *, forth: bool
) -> list[list[int]]:
    """Sort every column by the mean row of the neighbours in the column just sorted."""
    neighbours: dict[int, list[int]] = {place: [] for column in columns for place in column}
    for a, b in links:
        neighbours[b if forth else a].append(a if forth else b)
    y = _rows(columns)
    done = []
    for column in columns if forth else reversed(columns):
        rows = {place: [y[near] for near in neighbours[place]] or [y[place]] for place in column}
        means = {place: sum(own) / len(own) for place, own in rows.items()}
        ordered = sorted(column, key=means.__getitem__)
        y |= _rows([ordered])
        done.append(ordered)
    return done if forth else done[::-1]


def count_crossings(columns: Sequence[Sequence[int]], links: Iterable[tuple[int, int]]) -> int:
    """Count the pairs of arrows between two columns that cross."""
    row = {place: i for column in columns for i, place in enumerate(column)}
    at = {place: x for x, column in enumerate(columns) for place in column}
    by_column: list[list[tuple[int, int]]] = [[] for _ in columns]
    for a, b in links:
        by_column[at[a]].append((row[a], row[b]))
    return sum(
        (a - c) * (b - d) < 0
        for side_by_side in by_column
        for (a, b), (c, d) in combinations(side_by_side, 2)
    )


def _rows(columns: Iterable[Sequence[int]]) -> dict[int, float]:
    """Return every place's row, each column centred on 0."""
    return {p: i - (len(column) - 1) / 2 for column in columns for i, p in enumerate(column)}
