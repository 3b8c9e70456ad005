import math

import pytest
import torch

from cnn_train.playground.network import (
    ACTIVATIONS,
    FEATURES,
    ToyNetwork,
    class_lead,
    compute_features,
    grid_points,
)


def test_features_are_what_their_names_say() -> None:
    features_BF = compute_features(torch.tensor([[2.0, 3.0]]), list(FEATURES))
    expected = [2, 3, 4, 9, 6, math.sin(2), math.sin(3)]
    assert features_BF[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (1,), (8, 8), (1, 2, 3, 4, 5, 6)])
def test_the_outputs_of_the_layers_end_with_the_scores(
    hidden: tuple[int, ...], activation: str
) -> None:
    network = ToyNetwork(3, hidden, activation)
    features_BF = torch.randn(5, 3, dtype=torch.float64)
    outputs = network.outputs_by_layer(features_BF)
    assert [output.shape for output in outputs] == [(5, size) for size in (3, *hidden, 2)]
    assert torch.equal(outputs[-1], network(features_BF))
    assert len(network.linear_layers) == len(hidden) + 1
    assert all(parameter.dtype == torch.float64 for parameter in network.parameters())


def test_a_hidden_layers_output_comes_after_its_activation() -> None:
    network = ToyNetwork(2, (4,), "sigmoid")
    features_BF = torch.randn(5, 2, dtype=torch.float64)
    expected_BU = network.linear_layers[0](features_BF).sigmoid()
    assert torch.equal(network.outputs_by_layer(features_BF)[1], expected_BU)


def test_the_lead_is_the_difference_of_probabilities_under_cross_entropy() -> None:
    scores_BK = torch.tensor([[0.3, -1.2], [2.0, 5.0]], dtype=torch.float64)
    orange_B, blue_B = scores_BK.softmax(dim=1).unbind(1)
    assert torch.allclose(class_lead(scores_BK, "cross_entropy"), blue_B - orange_B)


def test_the_lead_is_the_difference_of_scores_up_to_the_margin_under_hinge() -> None:
    scores_BK = torch.tensor([[0.25, 0.5], [2.0, 5.0], [5.0, 2.0]])
    assert class_lead(scores_BK, "hinge").tolist() == [0.25, 1.0, -1.0]


def test_the_grid_starts_at_the_top_left_and_goes_along_its_rows() -> None:
    assert grid_points(2, 1.0).tolist() == [[-0.5, 0.5], [0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]]
