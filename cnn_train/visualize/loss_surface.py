"""The loss around the trained weights: L(a, b) = loss(θ + a·d₁ + b·d₂), for random d₁ and d₂.

The length of a step must be seen relative to the size of the weights: with ReLUs or normalisation,
a network with ten times the weights can compute the same. So every filter of a direction is as long
as that filter of the weights (Li, Xu, Taylor, Studer, Goldstein, "Visualizing the Loss Landscape of
Neural Nets", 2018), and at distance 1 every filter has moved by its own length. Biases, parameters
of normalisations and the running statistics of batch norm stay as they are (evaluation mode).

d₂ is at right angles to d₁, filter by filter: its part along d₁ is taken away before its length is
set. For a filter of a single weight there is only one direction, so its d₂ is 0.

Shape letters: N images, C channels, H W pixels, F filters of a layer, V weights of a filter,
G distances.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.image_set import Pixels
from ..errors import CheckpointError
from ..inference.trained_model import TrainedModel
from ..losses.regularization import select_parameters
from ..random_streams import make_generator

BATCH_SIZE = 512
"""As in ``evaluate``, so that the loss of the trained weights is exactly the same number."""

Direction = list[Tensor]


@dataclass(frozen=True)
class LossSurface:
    """Losses over a square (float64): rows are distances along d₂, columns along d₁.

    distance_G: from −reach to reach, 0 in the middle. data_GG: the mean loss of the images;
    regularization_GG: λR of the weights. Far away they need not be finite.
    """

    distance_G: Tensor
    data_GG: Tensor
    regularization_GG: Tensor

    @property
    def total(self) -> Tensor:
        """What training makes small: both together, GG."""
        return self.data_GG + self.regularization_GG

    @property
    def middle(self) -> int:
        """The row and the column of the trained weights."""
        return len(self.distance_G) // 2

    def doubling_distances(self, axis: int) -> tuple[float | None, float | None]:
        """Return the distances, back and forth, at which the loss along d₁ (axis 0) or d₂ doubles.

        None: it does not double within reach.
        """
        middle = self.middle
        loss_G = self.total[middle] if axis == 0 else self.total[:, middle]
        outward_M = self.distance_G[middle:]
        back = doubling_distance(outward_M, loss_G[: middle + 1].flip(0))
        return back, doubling_distance(outward_M, loss_G[middle:])


def doubling_distance(distance_M: Tensor, loss_M: Tensor) -> float | None:
    """Return the first distance at which the loss is twice the first loss; None: nowhere.

    Between two points the loss is interpolated; one that is not finite counts as doubled.
    """
    limit = 2 * float(loss_M[0])
    beyond = (~(loss_M < limit)).nonzero().flatten().tolist()
    if limit <= 0 or not beyond:
        return None
    nearer, farther = (float(x) for x in loss_M[beyond[0] - 1 : beyond[0] + 1])
    start, end = (float(x) for x in distance_M[beyond[0] - 1 : beyond[0] + 1])
    if not torch.isfinite(loss_M[beyond[0]]):
        return end
    return start + (limit - nearer) / (farther - nearer) * (end - start)


def distances(reach: float, number: int) -> Tensor:
    """Return an odd ``number`` of distances from −reach to reach; the middle is exactly 0."""
    assert number % 2 == 1
    half = number // 2
    return reach * torch.arange(-half, half + 1, dtype=torch.float64) / half


def random_directions(weights: Sequence[Tensor], seed: int) -> tuple[Direction, Direction]:
    """Draw two directions for ``weights``: filters as long as theirs, d₂ at right angles to d₁.

    Drawn on the CPU, so that they are the same for every device.
    """
    generator = make_generator(seed, "loss surface")
    pairs = [_filter_directions(weight, generator) for weight in weights]
    return [first for first, _ in pairs], [second for _, second in pairs]


def _filter_directions(weight: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    weight_FV = weight.detach().cpu().double().flatten(1)
    length_F1 = weight_FV.norm(dim=1, keepdim=True)
    drawn_2FV = torch.randn(2, *weight_FV.shape, generator=generator, dtype=torch.float64)
    first_FV = F.normalize(drawn_2FV[0])
    common_F1 = (drawn_2FV[1] * first_FV).sum(dim=1, keepdim=True)
    second_FV = F.normalize(drawn_2FV[1] - common_F1 * first_FV)
    first, second = ((length_F1 * unit_FV).view(weight.shape) for unit_FV in (first_FV, second_FV))
    return first.to(weight), second.to(weight)


def measure_loss_surface(
    losses_at: Callable[[float, float], Tensor],
    distance_G: Tensor,
    advance: Callable[[int], object] = lambda amount: None,
) -> LossSurface:
    """Measure the losses at each pair of distances; ``advance`` counts them.

    Raises CheckpointError if the loss of the trained weights is not finite.
    """
    if not losses_at(0.0, 0.0).isfinite().all():
        raise CheckpointError(
            "the loss of the trained weights is not finite (NaN): choose another checkpoint"
        )
    number, places = len(distance_G), []
    for second in distance_G.tolist():
        for first in distance_G.tolist():
            places.append(losses_at(first, second))
            advance(1)
    data_GG, regularization_GG = torch.stack(places).T.reshape(2, number, number)
    return LossSurface(distance_G, data_GG, regularization_GG)


@torch.no_grad()
def losses_along(
    directions: Sequence[Direction], trained: TrainedModel, images_NCHW: Pixels, labels_N: Tensor
) -> Callable[[float, float], Tensor]:
    """Return the function that measures data loss and λR at distances along two directions.

    A copy of the network is moved, in the precision of ``evaluate``.
    """
    moving = replace(trained, model=deepcopy(trained.model))
    weights = select_parameters(moving.model, "weights")
    starts = [weight.clone() for weight in weights]

    @torch.no_grad()
    def losses_at(first: float, second: float) -> Tensor:
        for weight, start, d1, d2 in zip(weights, starts, *directions, strict=True):
            weight.copy_(start + first * d1 + second * d2)
        return measure_losses(moving, images_NCHW, labels_N)

    return losses_at


@torch.no_grad()
def measure_losses(trained: TrainedModel, images_NCHW: Pixels, labels_N: Tensor) -> Tensor:
    """Return the data loss of uint8 images and λR of the weights: two numbers (float64)."""
    scores_NK = trained.scores(images_NCHW, batch_size=BATCH_SIZE)
    loss = trained.config.loss.build()(scores_NK.double(), labels_N)
    penalty = trained.config.regularization.build(trained.model)()
    return torch.stack((loss, penalty.cpu().double()))
