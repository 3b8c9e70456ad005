from collections.abc import Callable

import pytest
import torch
from torch import nn

from cnn_train.data.dataset import silent
from cnn_train.lecture.descent_map import MOST_STATES, NUM_POINTS, Trail, map_descent
from cnn_train.lecture.timed_training import loss_of_all, plain_session
from cnn_train.training.session import Session

Start = Callable[..., Session]


def move(session: Session, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in session.model.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("num_updates", [3, MOST_STATES, 10 * MOST_STATES + 1])
def test_a_trail_keeps_few_states_evenly_from_the_first_on(num_updates: int) -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    trail = Trail(model)
    for _ in range(num_updates):
        with torch.no_grad():
            model.weight += 1
        trail()
    steps = list(trail.states)
    stride = steps[1]
    assert steps == list(range(0, num_updates + 1, stride)) and len(steps) <= MOST_STATES
    assert [float(state) for state in trail.states.values()] == steps


def test_in_a_plane_of_three_states_each_place_has_its_own_loss(start: Start) -> None:
    """Three points lie in one plane, so that their places can be led back to the parameters."""
    session = plain_session(start(), None, 16)
    trail = Trail(session.model)
    losses = [loss_of_all(session)]
    for seed in (1, 2):
        move(session, seed)
        trail()
        losses.append(loss_of_all(session))
    found = map_descent(session, {"one": trail}, silent)
    assert found.share == pytest.approx(1, abs=1e-5)
    places = torch.tensor(list(found.ways["one"].values()), dtype=torch.float64)
    states = torch.stack(list(trail.states.values())).double()
    assert torch.pdist(places) == pytest.approx(torch.pdist(states), rel=1e-4)
    assert len(found.distances) == len(found.losses) == len(found.losses[0]) == NUM_POINTS
    assert max(losses) * 0.5 < found.losses[NUM_POINTS // 2][NUM_POINTS // 2] < max(losses) * 2


def test_a_point_of_the_map_has_the_loss_of_the_parameters_there(start: Start) -> None:
    session = plain_session(start(), None, 16)
    trail = Trail(session.model)
    for seed in (1, 2):
        move(session, seed)
        trail()
    found = map_descent(session, {"one": trail}, silent)
    places = torch.tensor(list(found.ways["one"].values()), dtype=torch.float64)
    states = torch.stack(list(trail.states.values())).double()
    for row, column in ((0, 0), (3, 14), (16, 8)):
        place = torch.tensor([found.distances[column], found.distances[row]], dtype=torch.float64)
        weights = torch.linalg.solve(
            torch.cat((places.T, torch.ones(1, 3))), torch.cat((place, torch.ones(1)))
        )  # place = Σ weight · place of a state, Σ weight = 1
        values = (weights @ states).float().split([p.numel() for p in session.model.parameters()])
        with torch.no_grad():
            for parameter, value in zip(session.model.parameters(), values, strict=True):
                parameter.copy_(value.view(parameter.shape))
        assert found.losses[row][column] == pytest.approx(loss_of_all(session), rel=1e-3)


def test_both_ways_leave_the_same_place(start: Start) -> None:
    sessions = [plain_session(start(), None, 16) for _ in range(2)]
    trails = {}
    for number, session in enumerate(sessions):
        trails[str(number)] = trail = Trail(session.model)
        for seed in (3 * number, 3 * number + 1):
            move(session, seed)
            trail()
    ways = map_descent(sessions[0], trails, silent).ways
    assert ways["0"][0] == pytest.approx(ways["1"][0], abs=1e-6)
    assert ways["0"][0][0] < 0 < ways["0"][0][1]
