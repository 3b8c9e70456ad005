"""Backpropagation through a network so small that every number can be checked by hand.

    forward     z = conv(x, F) + b      a = max(0, z)      s = W a + c      L = hinge(s, y)
    backward    ∂L/∂s → ∂L/∂W, ∂L/∂c, ∂L/∂a → ∂L/∂z → ∂L/∂F, ∂L/∂b, ∂L/∂x

Each step needs only the slope that comes from behind and the numbers of its own forward step.
Every output of the convolution read a patch of x, so the slopes of the filter are the sum of these
patches, each times the slope of its output.

Shape letters: H W pixels, K classes, D numbers of the flat map a.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UsageError
from ..random_streams import make_generator

IMAGE = ((1, 0, 2, 1), (0, 2, 1, 0), (1, 1, 0, 2), (3, 0, 1, 1))
FILTER = ((1, 0, -1), (0, 1, 0), (-1, 0, 1))
FULL = ((1, 0, -1, 2), (0, 2, 1, -1), (-1, 1, 0, 1))


@dataclass(frozen=True)
class TinyNetwork:
    """An image HW, a filter with its bias, and a fully connected layer with its biases."""

    image_HW: Tensor
    filter_HW: Tensor
    bias: Tensor
    weights_KD: Tensor
    biases_K: Tensor


@dataclass(frozen=True)
class Backprop:
    """All numbers of both passes; ``d_…`` is the slope of the loss by what follows the d."""

    network: TinyNetwork
    label: int
    z_HW: Tensor
    a_HW: Tensor
    scores_K: Tensor
    loss: Tensor
    d_scores_K: Tensor
    d_weights_KD: Tensor
    d_a_HW: Tensor
    d_z_HW: Tensor
    d_filter_HW: Tensor
    d_bias: Tensor
    d_image_HW: Tensor


def make_network(seed: int | None = None) -> TinyNetwork:
    """Make the lecture's example, or one of other small whole numbers drawn from ``seed``."""
    if seed is None:
        tables = (torch.tensor(table).double() for table in (IMAGE, FILTER, 1, FULL, (0, 0, 0)))
        image_HW, filter_HW, bias, weights_KD, biases_K = tables
        return TinyNetwork(image_HW, filter_HW, bias, weights_KD, biases_K)
    generator = make_generator(seed, "backprop")

    def draw(low: int, *shape: int) -> Tensor:
        return torch.randint(low, 3, shape, generator=generator).double()

    return TinyNetwork(
        image_HW=draw(0, 4, 4), filter_HW=draw(-2, 3, 3), bias=draw(-2),
        weights_KD=draw(-2, 3, 4), biases_K=draw(-2, 3),
    )  # fmt: skip


def work_through(network: TinyNetwork, label: int) -> Backprop:
    """Go forward to the hinge loss of class ``label``, and back; UsageError for another class."""
    if not 0 <= label < len(network.biases_K):
        raise UsageError(f"--label {label}: choose a class from 0 to {len(network.biases_K) - 1}")
    x, filter_HW = network.image_HW, network.filter_HW
    side = filter_HW.shape[0]
    patches = x.unfold(0, side, 1).unfold(1, side, 1)  # of every output: rows, columns, HW
    z_HW = (patches * filter_HW).sum(dim=(2, 3)) + network.bias
    a_HW = z_HW.clamp(min=0)
    scores_K = network.weights_KD @ a_HW.flatten() + network.biases_K
    margins_K = (scores_K - scores_K[label] + 1).clamp(min=0)
    margins_K[label] = 0

    d_scores_K = (margins_K > 0).double()
    d_scores_K[label] = 0 - d_scores_K.sum()
    d_a_HW = (network.weights_KD.T @ d_scores_K).view_as(a_HW)
    d_z_HW = d_a_HW * (z_HW > 0)
    d_image_HW = torch.zeros_like(x)
    for row in range(z_HW.shape[0]):
        for column in range(z_HW.shape[1]):  # what an output read gets its slope back
            read = slice(row, row + side), slice(column, column + side)
            d_image_HW[read] += d_z_HW[row, column] * filter_HW
    return Backprop(
        network=network,
        label=label,
        z_HW=z_HW,
        a_HW=a_HW,
        scores_K=scores_K,
        loss=margins_K.sum(),
        d_scores_K=d_scores_K,
        d_weights_KD=d_scores_K.outer(a_HW.flatten()),
        d_a_HW=d_a_HW,
        d_z_HW=d_z_HW,
        d_filter_HW=(d_z_HW[:, :, None, None] * patches).sum(dim=(0, 1)),
        d_bias=d_z_HW.sum(),
        d_image_HW=d_image_HW,
    )
