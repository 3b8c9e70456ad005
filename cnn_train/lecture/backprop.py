"""Backpropagation through a network so small that every number can be checked by hand.

    forward     z = conv(x, F) + b      a = max(0, z)      s = W a + c      L = hinge(s, y)
    backward    ∂L/∂s → ∂L/∂W, ∂L/∂c, ∂L/∂a → ∂L/∂z → ∂L/∂F, ∂L/∂b, ∂L/∂x

Each step needs only the slope that comes from behind and the numbers of its own forward step.
Every output of the convolution read a patch of x, so the slopes of the filter are the sum of these
patches, each times the slope of its output.

Shape letters: H W pixels, K classes, D numbers of the flat map a.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import UsageError
from ..random_streams import make_generator

NETWORK = {
    "x": ((1, 0, 2, 1), (0, 2, 1, 0), (1, 1, 0, 2), (3, 0, 1, 1)),
    "F": ((1, 0, -1), (0, 1, 0), (-1, 0, 1)),
    "b": ((1,),),
    "W": ((1, 0, -1, 2), (0, 2, 1, -1), (-1, 1, 0, 1)),
    "c": ((0,), (0,), (0,)),
}
"""The image, the filter and its bias, the weights KD of the scores, and their biases, a column."""


def make_network(seed: int | None = None) -> dict[str, Tensor]:
    """Make the lecture's example, or one of other small whole numbers drawn from ``seed``."""
    tables = {name: torch.tensor(table).double() for name, table in NETWORK.items()}
    if seed is None:
        return tables
    generator = make_generator(seed, "backprop")
    return {
        name: torch.randint(0 if name == "x" else -2, 3, table.shape, generator=generator).double()
        for name, table in tables.items()
    }


def work_through(network: Mapping[str, Tensor], label: int) -> dict[str, Tensor]:
    """Go forward to the hinge loss of class ``label``, and back.

    Returns all numbers of both passes, as tables, by the names above. Raises UsageError for a
    class that is none.
    """
    x_HW, filter_HW, weights_KD, biases_K1 = (network[name] for name in "xFWc")
    if not 0 <= label < len(biases_K1):
        raise UsageError(f"--label {label}: choose a class from 0 to {len(biases_K1) - 1}")
    side = filter_HW.shape[0]
    patches = x_HW.unfold(0, side, 1).unfold(1, side, 1)  # of every output: rows, columns, HW
    z_HW = (patches * filter_HW).sum(dim=(2, 3)) + network["b"]
    a_HW = z_HW.clamp(min=0)
    scores_K1 = weights_KD @ a_HW.view(-1, 1) + biases_K1
    margins_K1 = (scores_K1 - scores_K1[label] + 1).clamp(min=0)
    margins_K1[label] = 0

    d_scores_K1 = (margins_K1 > 0).double()
    d_scores_K1[label] = 0 - d_scores_K1.sum()
    d_a_HW = (weights_KD.T @ d_scores_K1).view_as(a_HW)
    d_z_HW = d_a_HW * (z_HW > 0)
    d_x_HW = torch.zeros_like(x_HW)
    for row in range(z_HW.shape[0]):
        for column in range(z_HW.shape[1]):  # what an output read gets its slope back
            read = slice(row, row + side), slice(column, column + side)
            d_x_HW[read] += d_z_HW[row, column] * filter_HW
    return {
        **network,
        "z": z_HW,
        "a": a_HW,
        "s": scores_K1,
        "L": margins_K1.sum().view(1, 1),
        "∂L/∂s": d_scores_K1,
        "∂L/∂W": d_scores_K1 * a_HW.view(1, -1),
        "∂L/∂c": d_scores_K1,
        "∂L/∂a": d_a_HW,
        "∂L/∂z": d_z_HW,
        "∂L/∂F": (d_z_HW[:, :, None, None] * patches).sum(dim=(0, 1)),
        "∂L/∂b": d_z_HW.sum().view(1, 1),
        "∂L/∂x": d_x_HW,
    }
