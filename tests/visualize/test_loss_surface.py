import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import CheckpointError, DataError
from cnn_train.evaluation.evaluate import evaluate
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import Precision
from cnn_train.models.fastnet import FastNet
from cnn_train.models.linear import LinearClassifier
from cnn_train.visualize.loss_surface import (
    LossSurface,
    distances,
    doubling_distance,
    measure_loss_surface,
    random_directions,
)
from cnn_train.visualize.request import Request
from cnn_train.visualize.show_loss_surface import show_loss_surface

MakeRequest = Callable[..., Request]
SHAPE = (3, 8, 8)
LAMBDA = 5e-4
"""Of the requests' config: cross-entropy and L2 with its default strength."""


def small_net() -> FastNet:
    """Build convolutions, norms that are no identity, and biases."""
    torch.manual_seed(0)
    model = FastNet(3, (3, 32, 32), widths=(2, 3, 3, 4))
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.rand_like(parameter)
    return model


def weights_of(model: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in model.parameters() if parameter.ndim >= 2]


def test_every_filter_of_a_direction_is_as_long_as_that_of_the_weights() -> None:
    weights = [torch.randn(4, 3, 5, 5), torch.randn(6, 1, 3, 3), torch.randn(10, 7) * 100]
    weights[0][2] = 0
    for direction in random_directions(weights, seed=3):
        for weight, drawn_weight in zip(weights, direction, strict=True):
            ours_F, expected_F = (w.flatten(1).norm(dim=1) for w in (drawn_weight, weight))
            assert torch.allclose(ours_F, expected_F, rtol=1e-6)
            assert drawn_weight.dtype == weight.dtype


def test_the_second_direction_is_at_right_angles_to_the_first_filter_by_filter() -> None:
    weights = [torch.randn(4, 3, 5, 5).double(), torch.randn(6, 2).double()]
    for first, second in zip(*random_directions(weights, seed=0), strict=True):
        assert (first * second).flatten(1).sum(dim=1).abs().max() < 1e-12
        assert (second.flatten(1).norm(dim=1) > 0).all()


def test_a_filter_of_one_weight_has_room_for_one_direction() -> None:
    weight = torch.tensor([[3.0], [-0.5]])
    (first,), (second,) = random_directions([weight], seed=0)
    assert torch.equal(first.abs(), weight.abs())
    assert torch.equal(second, torch.zeros(2, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_middle_is_the_loss_that_evaluate_measures_on_these_images(
    dtype: torch.dtype, make_request: MakeRequest, make_images: Callable[..., ImageSet]
) -> None:
    request = make_request(small_net(), (3, 32, 32), num_points=3)
    trained = replace(request.trained, precision=Precision(dtype, "as configured"))
    images = make_images(12, shape=(3, 32, 32))
    document = show_loss_surface(replace(request, trained=trained)).document
    penalty = sum(LAMBDA * float(weight.square().sum()) for weight in weights_of(trained.model))
    assert document["trained"]["data_loss"] == evaluate(trained, images).loss
    assert document["trained"]["regularization"] == pytest.approx(penalty, rel=1e-6)
    assert document["trained"]["total_loss"] == document["total_loss"][1][1]
    assert document["images"] == list(images.names)


def test_a_point_beside_the_middle_equals_a_plain_computation_there(
    make_request: MakeRequest, make_images: Callable[..., ImageSet]
) -> None:
    """Only weights move there: biases, norms and running statistics are those of the model."""
    model, images = small_net(), make_images(12, shape=(3, 32, 32))
    request = make_request(model, (3, 32, 32), num_points=5, reach=0.8, seed=7)
    document = show_loss_surface(request).document
    assert document["distances"] == pytest.approx([-0.8, -0.4, 0, 0.4, 0.8])
    directions = random_directions(weights_of(model), seed=7)
    moved = iter(
        weight - 0.4 * first + 0.8 * second
        for weight, first, second in zip(weights_of(model), *directions, strict=True)
    )
    parameters = {
        name: next(moved) if parameter.ndim >= 2 else parameter.detach()
        for name, parameter in model.named_parameters()
    }
    scores_NK = functional_call(model.eval(), parameters, (request.inputs(),))
    loss = float(F.cross_entropy(scores_NK, images.labels_N))
    penalty = LAMBDA * sum(
        float(tensor.square().sum()) for tensor in parameters.values() if tensor.ndim >= 2
    )
    assert document["data_loss"][4][1] == pytest.approx(loss, rel=1e-5)
    assert document["regularization"][4][1] == pytest.approx(penalty, rel=1e-5)
    assert document["total_loss"][4][1] == pytest.approx(loss + penalty, rel=1e-5)


def test_l2_is_the_bowl_that_is_computed_by_hand(make_request: MakeRequest) -> None:
    """‖W + a d₁ + b d₂‖² with d₁ and d₂ at right angles and as long as W."""
    model = LinearClassifier(3, SHAPE)
    (weight,) = weights_of(model)
    document = show_loss_surface(make_request(model, SHAPE, num_points=5)).document
    (first,), (second,) = random_directions([weight], seed=0)
    square, along_1, along_2 = (float((weight * w).sum()) for w in (weight, first, second))
    for row, b in enumerate(document["distances"]):
        for column, a in enumerate(document["distances"]):
            by_hand = LAMBDA * ((1 + a * a + b * b) * square + 2 * a * along_1 + 2 * b * along_2)
            assert document["regularization"][row][column] == pytest.approx(by_hand, rel=1e-5)


def test_a_seed_repeats_its_document_and_another_looks_elsewhere(make_request: MakeRequest) -> None:
    request = make_request(LinearClassifier(3, SHAPE), SHAPE, num_points=3)
    first, again, other = (
        show_loss_surface(replace(request, seed=seed)).document for seed in (1, 1, 2)
    )
    assert first == again
    assert first["trained"] == other["trained"] and first["data_loss"] != other["data_loss"]


def test_losses_that_are_not_finite_are_null_and_counted_and_left_grey(
    make_request: MakeRequest,
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3))
    page = show_loss_surface(make_request(model, SHAPE, num_points=5, reach=1e25))
    document = json.loads(json.dumps(page.document, allow_nan=False))
    assert document["num_not_finite"] == 24
    assert document["total_loss"][0] == [None] * 5
    assert document["total_loss"][2][2] == document["trained"]["total_loss"]
    assert document["doubling_distances"]["first"] == [5e24, 5e24]
    (block,) = page.blocks
    assert "not finite       24 of 25 points" in block.lines
    assert block.rows[0][1:3] == ("not finite", "not finite")
    assert page.draw().axes[0].get_title("left") == "From above; grey: not finite"


def test_weights_whose_own_loss_is_not_finite_are_refused(make_request: MakeRequest) -> None:
    model = small_net()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    norms[0].running_mean[0] = torch.nan
    with pytest.raises(CheckpointError, match="loss of the trained weights is not finite"):
        show_loss_surface(make_request(model, (3, 32, 32), num_points=3))


def test_images_of_a_class_that_the_model_does_not_know_are_refused(
    make_request: MakeRequest,
) -> None:
    request = make_request(LinearClassifier(3, SHAPE), SHAPE, num_points=3)
    cows = replace(request.subjects, labels=("cow",) * len(request.subjects))
    with pytest.raises(DataError, match="images of the class cow: the model knows class 0"):
        show_loss_surface(replace(request, subjects=cows))


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1.0, 1.5, 3.0], 0.5 + 0.5 / 3),  # 2 is a third of the way from 1.5 to 3
        ([1.0, 2.0, 1.0], 0.5),
        ([1.0, 1.5, 1.9], None),
        ([1.0, 1.5, math.inf], 1.0),
        ([1.0, math.nan, 1.0], 0.5),
        ([0.0, 0.5, 1.0], None),
    ],
)
def test_where_the_loss_doubles_is_read_between_the_points(
    losses: list[float], expected: float | None
) -> None:
    distance = doubling_distance(torch.tensor([0.0, 0.5, 1.0]), torch.tensor(losses))
    assert distance == (None if expected is None else pytest.approx(expected))


def test_distances_back_and_forth_belong_to_their_direction() -> None:
    losses_GG = torch.full((3, 3), 9.0).double()
    losses_GG[1] = torch.tensor([3.0, 1.0, 5.0])  # along d₁
    losses_GG[:, 1] = torch.tensor([1.5, 1.0, 2.0])
    surface = LossSurface(distances(1, 3), losses_GG, torch.zeros(3, 3))
    assert surface.doubling_distances(0) == (0.5, 0.25)
    assert surface.doubling_distances(1) == (None, 1.0)


def test_the_page_tells_the_losses_and_how_far_they_double(make_request: MakeRequest) -> None:
    page = show_loss_surface(make_request(LinearClassifier(3, SHAPE), SHAPE, num_points=3))
    document, (block,) = page.document, page.blocks
    trained = document["trained"]
    assert block.heading == "loss at 3 × 3 points around the weights: 12 validation images, seed 0"
    assert block.lines[0].endswith(
        f"data {trained['data_loss']:.4f} + λR {trained['regularization']:.4f} = "
        f"{trained['total_loss']:.4f}"
    )
    rows = document["total_loss"]
    largest = max(max(row) for row in rows)
    row = next(row for row in rows if largest in row)
    words = ["−1", "0", "1"]
    where = f"({words[row.index(largest)]}, {words[rows.index(row)]})"
    assert block.lines[2].endswith(f"{largest:#.4g} at {where}")
    assert [row[0] for row in block.rows] == ["d₁", "d₂"]
    for row, (back, forth) in zip(block.rows, document["doubling_distances"].values(), strict=True):
        assert row[3] == ("beyond −1" if back is None else f"−{back:#.2g}")
        assert row[4] == ("beyond 1" if forth is None else f"{forth:#.2g}")


def test_losses_far_away_are_written_with_few_digits(make_request: MakeRequest) -> None:
    request = make_request(LinearClassifier(3, SHAPE), SHAPE, num_points=3, reach=1e9)
    ((first, _),) = [show_loss_surface(request).blocks[0].rows]
    assert all(len(cell) <= 10 and "e+" in cell for cell in first[1:3])


def test_steps_that_a_low_precision_rounds_away_are_told(make_request: MakeRequest) -> None:
    def lines(dtype: torch.dtype, reach: float) -> str:
        request = make_request(LinearClassifier(3, SHAPE), SHAPE, num_points=3, reach=reach)
        trained = replace(request.trained, precision=Precision(dtype, "as configured"))
        return "\n".join(show_loss_surface(replace(request, trained=trained)).blocks[0].lines)

    assert "bfloat16 rounds steps" in lines(torch.bfloat16, 0.01)
    assert "rounds steps" not in lines(torch.bfloat16, 1.0) + lines(torch.float32, 0.01)


def test_progress_counts_every_point() -> None:
    steps: list[int] = []
    measure_loss_surface(lambda first, second: torch.ones(2), distances(1, 3), steps.append)
    assert steps == [1] * 9


def test_every_loss_and_regularisation_is_the_checkpoints_own(make_request: MakeRequest) -> None:
    model = LinearClassifier(3, SHAPE)
    request = make_request(model, SHAPE, num_points=3)
    config = ExperimentConfig.model_validate(
        {"model": {"name": "linear"}, "loss": {"name": "hinge", "margin": 2.0},
         "regularization": {"kind": "l1", "strength": 0.1}}
    )  # fmt: skip
    trained = replace(request.trained, config=config)
    losses = show_loss_surface(replace(request, trained=trained)).document["trained"]
    (weight,) = weights_of(model)
    scores_NK, labels_N = trained.scores(request.subjects.images_NCHW), request.labels()
    torchs_hinge = float(F.multi_margin_loss(scores_NK, labels_N, margin=2.0))
    assert losses["data_loss"] == pytest.approx(3 * torchs_hinge, rel=1e-6)  # torch divides by K
    assert losses["regularization"] == pytest.approx(0.1 * float(weight.abs().sum()), rel=1e-6)
