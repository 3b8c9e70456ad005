import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_train.errors import CheckpointError
from cnn_train.experiment import ExperimentConfig
from cnn_train.losses.regularization import select_parameters
from cnn_train.models.linear import LinearClassifier
from cnn_train.visualize.descent_path import find_path, span_plane
from cnn_train.visualize.request import Request
from cnn_train.visualize.show_loss_surface import show_loss_surface

MakeRequest = Callable[..., Request]
SHAPE = (3, 8, 8)
LAMBDA = 5e-4
"""Of the requests' config: cross-entropy and L2 with its default strength."""
IN_PLANE = [(3.0, 1.0, 0.0), (3.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)]
"""Σxy = 0, so the principal directions are the axes: Σx² = 19, Σy² = 2."""


def differences(*places: tuple[float, ...]) -> Tensor:
    """Put places of three coordinates into rows of the 576 weights of the model below."""
    differences_SP = torch.zeros(len(places), 576)
    differences_SP[:, [7, 200, 575]] = torch.tensor(places)
    return differences_SP


def with_states(
    request: Request, folder: Path, places: list[tuple[float, ...]], biases: list[float]
) -> Request:
    """Save a state for each place, whose updates are 0, 10, 20 …; the last one is the request's."""
    model = request.trained.model
    assert isinstance(model, LinearClassifier)
    last, states = model.fc.weight.detach().clone(), {}
    with torch.no_grad():
        for number, (row_P, bias) in enumerate(zip(differences(*places), biases, strict=True)):
            model.fc.weight.copy_(last + row_P.view(3, 192))
            model.fc.bias[0] = bias
            states[10 * number] = folder / f"{number}.ckpt"
            replace(request.trained, epoch=0).save(states[10 * number])
    return replace(request, states=states)


@pytest.fixture
def request_2(make_request: MakeRequest) -> Request:
    torch.manual_seed(0)
    return make_request(LinearClassifier(3, SHAPE), SHAPE, num_points=3)


def test_a_path_in_a_plane_is_held_whole_at_the_coordinates_computed_by_hand(
    request_2: Request, tmp_path: Path
) -> None:
    request = with_states(request_2, tmp_path, IN_PLANE, [0.0] * 4)
    document = json.loads(json.dumps(show_loss_surface(request).document, allow_nan=False))
    states = document["states"]
    assert [one["step"] for one in states] == [0, 10, 20, 30]
    assert document["share_in_plane"] == pytest.approx(1)
    for one, place in zip(states, [(-3, 1), (-3, -1), (-1, 0), (0, 0)], strict=True):
        assert one["place"] == pytest.approx(place, abs=1e-5)
        assert one["distance"] == pytest.approx(math.hypot(*place), abs=1e-5)
    assert document["reach"] == pytest.approx(1.15 * 3, abs=0.06)
    assert (document["plane"], document["seed"]) == ("path", None)


def test_the_loss_at_a_projection_equals_a_plain_evaluation_there(
    request_2: Request, tmp_path: Path, multiplies_bfloat16: None
) -> None:
    """The states' own biases differ; the plane has the last one's everywhere.

    All is in the last one's precision, float32, whatever the processor could do.
    """
    model, biases = request_2.trained.model, [0.5, -0.5, 0.0, 0.25]
    request = with_states(request_2, tmp_path, IN_PLANE, biases)
    document = show_loss_surface(request).document
    last, inputs_NP, labels_N = (
        model.fc.weight.detach(),
        request.inputs().flatten(1),
        request.labels(),
    )
    for row_P, bias, one in zip(differences(*IN_PLANE), biases, document["states"], strict=True):
        weight = last + row_P.view(3, 192)
        for first, measured in ((bias, "total_loss"), (biases[-1], "total_loss_in_plane")):
            whole = torch.cat([torch.tensor([first]), model.fc.bias.detach()[1:]])
            loss = F.cross_entropy(F.linear(inputs_NP, weight, whole), labels_N)
            by_hand = float(loss + LAMBDA * weight.square().sum())
            assert one[measured] == pytest.approx(by_hand, rel=1e-5)
    assert document["states"][-1]["total_loss"] == document["trained"]["total_loss"]
    assert document["states"][-1]["total_loss_in_plane"] == document["trained"]["total_loss"]


def test_what_leaves_the_plane_is_missing_in_its_share_but_not_in_the_distance(
    request_2: Request, tmp_path: Path
) -> None:
    places = [*IN_PLANE[:3], (0.0, 0.0, 1.0), IN_PLANE[3]]
    page = show_loss_surface(with_states(request_2, tmp_path, places, [0.0] * 5))
    outside = page.document["states"][3]
    assert page.document["share_in_plane"] == pytest.approx(21 / 22)
    assert outside["distance"] == pytest.approx(1)
    assert outside["place"] == pytest.approx([0, 0], abs=1e-6)
    assert outside["total_loss_in_plane"] == pytest.approx(page.document["trained"]["total_loss"])
    assert outside["total_loss"] != pytest.approx(outside["total_loss_in_plane"], rel=1e-6)
    table = page.blocks[1]
    assert table.heading.endswith("holds 95.5 % of the squared distances of 5 kept states")
    assert [row[:2] for row in table.rows] == [
        ("0", "3.16"), ("10", "3.16"), ("20", "1.00"), ("30", "1.00"), ("40", "0.00"),
    ]  # fmt: skip
    assert "along the path" in page.blocks[0].heading


def test_the_plane_is_that_of_an_eigenvalue_decomposition() -> None:
    differences_SP = torch.randn(5, 40, generator=torch.Generator().manual_seed(1)).double()
    directions_2P = span_plane(differences_SP)
    sizes, vectors_PP = torch.linalg.eigh(differences_SP.T @ differences_SP)
    assert sizes[-1] > sizes[-2]
    for direction_P, vector_P in zip(directions_2P, vectors_PP.T.flip(0)[:2], strict=True):
        assert abs(float(direction_P @ vector_P)) == pytest.approx(1)
    first, second = (directions_2P @ differences_SP[0]).tolist()
    assert first < 0 < second


def test_directions_have_the_layout_of_their_weights(
    make_request: MakeRequest, tmp_path: Path
) -> None:
    """The last weights, moved to a state's place, are that state's, layer by layer."""
    config = ExperimentConfig.model_validate({"model": {"name": "lenet"}})
    model, states = config.model.build(3, (3, 32, 32)), {}
    trained = replace(make_request(model).trained, config=config)
    for step in range(3):
        with torch.no_grad():
            for weight in select_parameters(model, "weights"):
                weight += 0.1 * torch.randn_like(weight)
        states[step] = tmp_path / f"{step}.ckpt"
        replace(trained, epoch=0).save(states[step])
    path = find_path(states, trained)
    (first, second), (d1_L, d2_L) = path.place_S2[0].tolist(), path.directions
    own_L, last_L = (select_parameters(path.models[i].model, "weights") for i in (0, -1))
    assert [weight.ndim for weight in own_L] == [4, 4, 2, 2, 2]
    for own, last, d1, d2 in zip(own_L, last_L, d1_L, d2_L, strict=True):
        assert torch.allclose(last + first * d1 + second * d2, own, atol=1e-5)


def test_states_that_stand_still_make_no_path(request_2: Request, tmp_path: Path) -> None:
    places = [IN_PLANE[0], IN_PLANE[0], IN_PLANE[3]]
    with pytest.raises(CheckpointError, match=r"fewer than 3 states; --plane random needs no st"):
        show_loss_surface(with_states(request_2, tmp_path, places, [0.0] * 3))


def test_a_damaged_state_is_named_with_what_can_be_looked_at_instead(
    request_2: Request, tmp_path: Path
) -> None:
    request = with_states(request_2, tmp_path, IN_PLANE, [0.0] * 4)
    (tmp_path / "1.ckpt").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"1\.ckpt: .*; --plane random needs no states"):
        find_path(request.states, request.trained)
