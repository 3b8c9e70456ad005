"""A formula as a graph: which value must be computed before which.

Every formula is a list of small steps, each of which uses results of earlier ones:

    f(x1, x2) = x1·x2 + sin(x1)    v1 = x1, v2 = x2, v3 = v1 × v2, v4 = sin(v1), v5 = v3 + v4

Drawn with an arrow from each operand to the step that uses it, the list is the computational
graph. Equal parts are computed once. Whatever is differentiated automatically is such a list, also
the loss of a network with millions of weights; its nodes are then whole layers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from .elementary import ANOTHER_POINT, ELEMENTARY, DomainError


@dataclass(frozen=True)
class Node:
    """One step. ``operation`` is "input", "constant" or a key of ELEMENTARY.

    operands: positions of earlier nodes. depends: whether any input can reach it.
    """

    operation: str
    operands: tuple[int, ...] = ()
    name: str = ""
    constant: float = 0.0
    depends: bool = False

    @property
    def is_operation(self) -> bool:
        """Whether something is computed here."""
        return self.operation in ELEMENTARY


@dataclass
class Graph:
    """The nodes in an order in which they can be computed, the inputs first."""

    nodes: list[Node] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    positions: dict[Node, int] = field(default_factory=dict, repr=False)
    labels: list[str] = field(default_factory=list, repr=False)

    def input(self, name: str) -> int:
        """Return the position of the input ``name``."""
        return self._place(Node("input", name=name, depends=True))

    def constant(self, value: float, name: str = "") -> int:
        """Return the position of a number, which may have a name: pi or e."""
        return self._place(Node("constant", name=name, constant=value))

    def apply(self, operation: str, *operands: int) -> int:
        """Return the position of ``operation`` on earlier nodes; equal steps are one node."""
        depends = any(self.nodes[operand].depends for operand in operands)
        return self._place(Node(operation, operands, depends=depends))

    def _place(self, node: Node) -> int:
        if node not in self.positions:
            self.positions[node] = len(self.nodes)
            self.nodes.append(node)
            is_constant = node.operation == "constant"
            digits = node.name or f"{node.constant:.7g}"
            self.labels.append(digits if is_constant else f"v{len(self.steps)}")
        return self.positions[node]

    @property
    def input_names(self) -> list[str]:
        """The inputs in their order."""
        return [node.name for node in self.nodes if node.operation == "input"]

    @property
    def num_operations(self) -> int:
        """How many functions are computed on the way from the inputs to all outputs."""
        return sum(node.is_operation for node in self.nodes)

    @property
    def steps(self) -> list[int]:
        """The positions of all nodes but constants, which are written into other steps."""
        return [i for i, node in enumerate(self.nodes) if node.operation != "constant"]

    @property
    def arrows(self) -> list[tuple[int, int, int]]:
        """Every (operand, node, number of the operand) of two steps, in order: for a drawing."""
        steps = self.steps
        every = [(node, pair) for node in steps for pair in enumerate(self.nodes[node].operands)]
        return [(operand, node, number) for node, (number, operand) in every if operand in steps]

    def live_operands(self, position: int) -> list[tuple[int, int]]:
        """List (operand number, its position) of a node's operands that an input can reach."""
        operands = enumerate(self.nodes[position].operands)
        return [(number, place) for number, place in operands if self.nodes[place].depends]

    def label(self, position: int) -> str:
        """Return ``v3`` for the third node that is no constant, or a constant's digits or name."""
        return self.labels[position]

    def step(self, position: int) -> str:
        """Return what a node computes from its operands, e.g. ``v1 × v2``."""
        node = self.nodes[position]
        if not node.is_operation:
            return node.name or self.label(position)
        return ELEMENTARY[node.operation].write([self.label(place) for place in node.operands])

    def symbol(self, position: int) -> str:
        """Return the text in a node of a drawing: ``x1``, ``×``, ``sin``, or ``** 2``."""
        node = self.nodes[position]
        if not node.is_operation:
            return node.name or self.label(position)
        constants = [self.nodes[place].operation == "constant" for place in node.operands]
        elementary = ELEMENTARY[node.operation]
        if not any(constants) and not elementary.is_infix:
            return elementary.text.split("(")[0]
        filler = "" if elementary.is_infix else "·"
        pairs = zip(constants, node.operands, strict=True)
        return elementary.write(
            [self.label(place) if is_constant else filler for is_constant, place in pairs]
        ).strip()

    def write(self, position: int) -> str:
        """Return the whole formula that ends in a node, in terms of the inputs."""
        node = self.nodes[position]
        if not node.is_operation:
            return node.name or self.label(position)
        elementary = ELEMENTARY[node.operation]
        parts = [self.write(operand) for operand in node.operands]
        if elementary.is_infix:
            inner = [self.nodes[operand] for operand in node.operands]
            parts = [
                f"({part})" if node.is_operation and ELEMENTARY[node.operation].is_infix else part
                for part, node in zip(parts, inner, strict=True)
            ]
        return elementary.write(parts)

    def evaluate(self, point: Sequence[float]) -> list[float]:
        """Return every node's value, with the inputs at ``point``: the forward pass.

        Raises DomainError where a node has no finite real value.
        """
        values: list[float] = []
        inputs = iter(point)
        for position, node in enumerate(self.nodes):
            is_input = node.operation == "input"
            values.append(next(inputs) if is_input else self.compute(position, values))
        return values

    def compute(self, position: int, values: Sequence[float]) -> float:
        """Return the value of a constant or an operation, from the values before it."""
        node = self.nodes[position]
        if node.operation == "constant":
            return node.constant
        try:
            operands = tuple(values[operand] for operand in node.operands)
            return ELEMENTARY[node.operation].evaluate(operands)
        except DomainError as problem:
            raise self._at(position, problem) from None

    def slope(self, position: int, operand: int, values: Sequence[float]) -> float:
        """Return the slope of a node by its operand number ``operand`` (0 or 1)."""
        node = self.nodes[position]
        try:
            operands = tuple(values[place] for place in node.operands)
            return ELEMENTARY[node.operation].slope(operand, operands, values[position])
        except DomainError as problem:
            raise self._at(position, problem) from None

    def slope_text(self, position: int, operand: int) -> str:
        """Return that slope as it is written, e.g. ``cos(v1)``."""
        node = self.nodes[position]
        names = dict(zip("ab", map(self.label, node.operands), strict=False))
        text = ELEMENTARY[node.operation].slopes[operand].text
        return text.format(**names, v=self.label(position))

    def require_finite(self, position: int, slope: float) -> float:
        """Return ``slope``, collected at a node; raises DomainError where it overflowed."""
        if not math.isfinite(slope):
            raise self._at(position, DomainError("the slope is too large for a float"))
        return slope

    def _at(self, position: int, problem: DomainError) -> DomainError:
        return DomainError(f"{self.write(position)}: {problem}{ANOTHER_POINT}")
