"""The loss around ways of descent: over the plane that lies nearest to all of their states.

A state is a point in the space of all parameters θ. The plane goes through the mean of the states,
along the first two principal directions of what they differ from it, which have the length 1.

Shape letters: S states, P parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn

from ..data.dataset import Progress
from ..training.session import Session
from ..visualize.descent_path import reach_of, span_plane
from ..visualize.loss_surface import distances
from .timed_training import loss_of_all

MOST_STATES = 24
NUM_POINTS = 17
"""Points along each side of the map."""


class Trail:
    """The states of a network on its way: call it after every update.

    When there are too many, every second one is dropped, and from then on only half as many kept.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model, self.updates, self._stride = model, 0, 1
        self._states: dict[int, Tensor] = {0: self._state()}

    def _state(self) -> Tensor:
        return torch.cat([p.detach().cpu().flatten() for p in self.model.parameters()])

    def __call__(self) -> None:
        """Count an update; keep the state after it, where its turn has come."""
        self.updates += 1
        if self.updates % self._stride == 0:
            self._states[self.updates] = self._state()
        if len(self._states) > MOST_STATES:
            self._states = dict(islice(self._states.items(), 0, None, 2))
            self._stride *= 2

    @property
    def states(self) -> dict[int, Tensor]:
        """The kept states, P each, by the number of updates that led to them."""
        return dict(self._states)


@dataclass(frozen=True)
class DescentMap:
    """The losses of all images over the plane, and where the ways go.

    distances: along both directions, from the middle of the map. losses: rows along the second.
    ways: by name, each state's place by its number of updates. share: what the plane holds of the
    squared distances of the states from their mean.
    """

    distances: list[float]
    losses: list[list[float]]
    ways: dict[str, dict[int, list[float]]]
    share: float


def map_descent(
    session: Session, trails: Mapping[str, Trail], progress: Progress, num_points: int = NUM_POINTS
) -> DescentMap:
    """Measure the loss of a full-batch session's images around the trails; moves its model.

    Raises CheckpointError where fewer than three states differ.
    """
    steps = [(name, step) for name, trail in trails.items() for step in trail.states]
    differences_SP = torch.stack([trails[name].states[step] for name, step in steps])
    mean_P = differences_SP.mean(dim=0)
    differences_SP -= mean_P
    directions_2P = span_plane(differences_SP)
    place_S2 = differences_SP @ directions_2P.T
    low_2, high_2 = place_S2.amin(dim=0), place_S2.amax(dim=0)
    middle_2 = (low_2 + high_2) / 2
    middle_P = mean_P + middle_2 @ directions_2P
    side = distances(reach_of((high_2 - low_2) / 2), num_points).tolist()
    losses: list[list[float]] = []
    with progress(f"Measuring the loss at {num_points**2:,} points", num_points**2) as advance:
        for second in side:
            losses.append([])
            for first in side:
                state_P = middle_P + torch.tensor([first, second]) @ directions_2P
                losses[-1].append(_loss_at(session, state_P))
                advance(1)
    places = (place_S2 - middle_2).tolist()
    return DescentMap(
        distances=side,
        losses=losses,
        ways={
            name: {step: places[i] for i, (other, step) in enumerate(steps) if other == name}
            for name in trails
        },
        share=float(place_S2.square().sum() / differences_SP.square().sum()),
    )


def _loss_at(session: Session, state_P: Tensor) -> float:
    parameters = list(session.model.parameters())
    values = torch.split(state_P, [p.numel() for p in parameters])
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value.view(parameter.shape))
    return loss_of_all(session)
