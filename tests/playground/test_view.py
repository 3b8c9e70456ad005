import json
from base64 import b64decode

import pytest
import torch

from cnn_train.playground.experiment import Experiment
from cnn_train.playground.formula import Place
from cnn_train.playground.settings import read_address, resolve_settings
from cnn_train.playground.view import (
    MAP_SIDE,
    SURFACE_SIDE,
    encode,
    surface,
    view_of_page,
    view_of_start,
    view_of_step,
)


def unpack(text: str) -> list[int]:
    return [byte - 256 if byte > 127 else byte for byte in b64decode(text)]


@pytest.fixture
def experiment() -> Experiment:
    made = Experiment(resolve_settings({"dataset": "gauss", "hidden": (3, 2)}, "test"))
    made.advance(200)
    return made


def test_maps_are_packed_as_signed_bytes() -> None:
    values = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0, torch.nan])
    assert unpack(encode(values)) == [-127, -64, 0, 64, 127, 0]


def test_the_surface_is_blue_at_the_top_right_where_the_blue_cloud_is(
    experiment: Experiment,
) -> None:
    leads_GG = surface(experiment, 10)
    assert leads_GG[0, -1] > 0.5
    assert leads_GG[-1, 0] < -0.5


def test_a_step_has_maps_and_weights_for_every_layer(experiment: Experiment) -> None:
    state = view_of_step(experiment, Place())
    assert (state["step"], state["epoch"], state["num_points"]) == (200, 8, 10)
    assert [len(layer) for layer in state["maps"]] == [3, 2, 2]
    assert {len(unpack(map_)) for layer in state["maps"] for map_ in layer} == {MAP_SIDE**2}
    assert max(abs(value) for value in unpack(state["maps"][0][0])) == 127
    assert len(unpack(state["surface"])) == SURFACE_SIDE**2
    shapes = [torch.tensor(layer).shape for layer in state["weights"]]
    assert shapes == [(3, 2), (2, 3), (2, 2)]
    assert [len(layer) for layer in state["biases"]] == [3, 2, 2]
    assert state["weights"][0][0][0] == state["weight_step"]["after"]


def test_a_place_that_the_network_lacks_becomes_the_first_weight(experiment: Experiment) -> None:
    for beyond in (Place(3, 0, 0), Place(0, 3, 0), Place(0, 0, 2)):
        shown = view_of_step(experiment, beyond)["place"]
        assert shown == {"layer": 0, "unit": 0, "source": 0}


def test_a_start_says_how_to_repeat_the_experiment(experiment: Experiment) -> None:
    begun = view_of_start(experiment)
    assert read_address(begun["address"], "#") == experiment.settings
    suggested = read_address(begun["suggested_address"], "#")
    assert (suggested.dataset, suggested.hidden) == ("gauss", (2,))
    assert begun["code"] == "weights += -step_size * weights_grad"
    assert len(begun["train_points"]["points"]) == len(begun["train_points"]["labels"]) == 250
    assert len(begun["places"]) == sum(p.numel() for p in experiment.network.parameters())


def test_every_view_is_json(experiment: Experiment) -> None:
    views = (view_of_page(), view_of_start(experiment), view_of_step(experiment, Place()))
    for view in views:
        assert json.loads(json.dumps(view, allow_nan=False))
