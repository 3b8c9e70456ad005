"""The way of the weights over the loss surface: a run's kept states, and the plane nearest to them.

It lies through the last weights, along the first two principal directions of the differences from
them (Li et al. 2018, section 7). These have the length 1: distances are those of the weights, not
lengths of filters. Only weights move, as in loss_surface.py; all else is of the last state.

Shape letters: S states, P weights of a network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checkpoints.checkpoint import load_checkpoint
from ..errors import CheckpointError
from ..inference.trained_model import TrainedModel, restore_trained_model
from ..losses.regularization import select_parameters
from .loss_surface import Direction

LEAST_STATES = 3
PIECE = 1 << 20


@dataclass(frozen=True)
class DescentPath:
    """Models of states, their places S2 in the plane, and the distances S of their weights."""

    models: list[TrainedModel]
    directions: tuple[Direction, Direction]
    place_S2: Tensor
    distance_S: Tensor

    @property
    def share(self) -> float:
        """Of the squared distances, what the plane holds."""
        return min(float(self.place_S2.square().sum() / self.distance_S.square().sum()), 1.0)

    @property
    def reach(self) -> float:
        """How far the plane is shown, to each side of the last weights."""
        return reach_of(self.place_S2)


def reach_of(places: Tensor) -> float:
    """Return how far a plane is shown: a little beyond the farthest place, in two digits."""
    return float(f"{1.15 * float(places.abs().max()):.1e}")


def find_path(states: Mapping[int, Path], last: TrainedModel) -> DescentPath:
    """Load the states and find their plane; raises CheckpointError where they do not allow it."""
    try:
        models = [
            replace(
                restore_trained_model(load_checkpoint(path), last.device, str(path)),
                precision=last.precision,
            )
            for path in states.values()
        ]
        weights = [select_parameters(one.model, "weights") for one in models]
        rows = [torch.cat([w.detach().cpu().flatten() for w in row]) for row in weights]
        differences_SP = torch.stack(rows).double() - rows[-1]
        directions_2P = span_plane(differences_SP)
    except CheckpointError as problem:
        raise CheckpointError(f"{problem}; --plane random needs no states") from None
    place_S2 = differences_SP @ directions_2P.T
    pieces = (row_P.split([w.numel() for w in weights[-1]]) for row_P in directions_2P)
    d1, d2 = (
        [x.view(w.shape).to(w) for x, w in zip(row, weights[-1], strict=True)] for row in pieces
    )
    return DescentPath(models, (d1, d2), place_S2, differences_SP.norm(dim=1))


def span_plane(differences_SP: Tensor) -> Tensor:
    """Return the two directions 2P of length 1 that hold most; the first row lies upper left.

    Raises CheckpointError where fewer than three rows differ.
    """
    changes_S = (differences_SP[1:] != differences_SP[:-1]).any(dim=1)
    if changes_S.sum() + 1 < LEAST_STATES or not differences_SP.isfinite().all():
        raise CheckpointError(
            f"weights differ, and are finite, in fewer than {LEAST_STATES} states"
        )
    # the right singular vectors, by the eigenvectors of the small product: there may be millions P
    pieces = (piece.double() for piece in torch.split(differences_SP, PIECE, dim=1))
    products_SS = sum((piece @ piece.T for piece in pieces), torch.zeros(()))
    vectors_2S = torch.linalg.eigh(products_SS).eigenvectors[:, -2:].T.flip(0)
    directions_2P = F.normalize(vectors_2S.to(differences_SP) @ differences_SP)
    signs_2 = torch.where(directions_2P @ differences_SP[0] > 0, 1, -1)
    return directions_2P * (signs_2 * torch.tensor([-1, 1]))[:, None]
