"""Histograms of oriented gradients against loops over pixels, and what they are made for."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cnn_train.data.dataset import DataAccess
from cnn_train.data.splits import load_training_splits
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import resolve_device
from cnn_train.models.hog_linear import EPSILON, LARGEST_SHARE, DirectionVotes, HogLinear, Sobel
from cnn_train.training.building import build_session
from cnn_train.training.fit import fit


def draw_images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def features_of(model: HogLinear, images_BCHW: Tensor) -> Tensor:
    for layer in (model.sobel, model.votes, model.cells, model.blocks):
        images_BCHW = layer(images_BCHW)
    return images_BCHW


def votes_by_loops(image_CHW: Tensor, num_directions: int) -> Tensor:
    """Every pixel's vote, straight from the paper's words."""
    channels, height, width = image_CHW.shape
    rows = image_CHW.tolist()
    votes_DHW = torch.zeros(num_directions, height, width, dtype=torch.float64)

    def level(c: int, y: int, x: int) -> float:
        return float(rows[c][min(max(y, 0), height - 1)][min(max(x, 0), width - 1)])

    for y in range(height):
        for x in range(width):
            gradients = []
            for c in range(channels):
                right = sum(
                    weight * (level(c, y + dy, x + 1) - level(c, y + dy, x - 1))
                    for dy, weight in ((-1, 1), (0, 2), (1, 1))
                )
                down = sum(
                    weight * (level(c, y + 1, x + dx) - level(c, y - 1, x + dx))
                    for dx, weight in ((-1, 1), (0, 2), (1, 1))
                )
                gradients.append((math.hypot(right, down) / 8, math.atan2(down, right)))
            strength, angle = max(gradients)
            place = angle % math.pi / math.pi * num_directions
            lower = math.floor(place) % num_directions
            share = place - math.floor(place)
            votes_DHW[lower, y, x] += strength * (1 - share)
            votes_DHW[(lower + 1) % num_directions, y, x] += strength * share
    return votes_DHW


def test_votes_equal_those_of_loops_over_the_pixels() -> None:
    images_BCHW = draw_images(2, 3, 6, 5)
    votes_BDHW = DirectionVotes(9)(Sobel(3)(images_BCHW))
    for image_CHW, votes_DHW in zip(images_BCHW, votes_BDHW, strict=True):
        torch.testing.assert_close(
            votes_DHW.double(), votes_by_loops(image_CHW, 9), rtol=1e-4, atol=1e-5
        )


def test_blocks_equal_those_of_loops_over_the_cells() -> None:
    model = HogLinear(10, (3, 16, 16))
    images_BCHW = draw_images(1, 3, 16, 16)
    (votes_DHW,) = model.votes(model.sobel(images_BCHW))
    (blocks_FHW,) = features_of(model, images_BCHW)
    assert blocks_FHW.shape == (36, 3, 3)
    for row in range(3):
        for column in range(3):
            cells = [
                votes_DHW[:, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean(dim=(1, 2))
                for y in (row, row + 1)
                for x in (column, column + 1)
            ]
            block = torch.cat(cells)
            block = block / (block.square().sum() + EPSILON**2).sqrt()
            block = block.clamp(max=LARGEST_SHARE)
            block = 6 * block / block.norm()
            torch.testing.assert_close(blocks_FHW[:, row, column], block, rtol=1e-4, atol=1e-5)


def test_features_do_not_change_with_brightness_and_hardly_with_contrast() -> None:
    model, images_BCHW = HogLinear(10, (3, 32, 32)), draw_images(2, 3, 32, 32)
    features = features_of(model, images_BCHW)
    torch.testing.assert_close(features_of(model, images_BCHW + 3), features, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        features_of(model, 0.5 * images_BCHW), features, rtol=1e-2, atol=1e-2
    )


def test_features_of_a_real_edge_have_a_mean_square_of_one() -> None:
    features = features_of(HogLinear(10, (3, 32, 32)), draw_images(4, 3, 32, 32))
    torch.testing.assert_close(features.square().mean(dim=1), torch.ones(4, 7, 7))


def test_an_image_without_edges_has_no_features_and_a_finite_gradient() -> None:
    model = HogLinear(10, (3, 16, 16))
    images_BCHW = torch.ones(1, 3, 16, 16, requires_grad=True)
    assert features_of(model, images_BCHW).abs().max() < 1e-3
    model(images_BCHW).sum().backward()
    assert images_BCHW.grad is not None and images_BCHW.grad.isfinite().all()


@pytest.mark.parametrize("sides_px", [(1, 1), (2, 9), (5, 4), (33, 8)])
@pytest.mark.parametrize("cell_px", [1, 4, 8])
def test_images_of_all_sizes_get_scores(sides_px: tuple[int, int], cell_px: int) -> None:
    model = HogLinear(7, (3, *sides_px), cell_px=cell_px)
    scores_BK = model(draw_images(2, 3, *sides_px))
    assert scores_BK.shape == (2, 7)
    assert scores_BK.isfinite().all()


def test_nothing_but_the_classifier_learns_or_is_saved() -> None:
    model = HogLinear(10, (3, 32, 32))
    assert set(model.state_dict()) == {"fc.weight", "fc.bias"}
    assert {name for name, _ in model.named_parameters()} == {"fc.weight", "fc.bias"}


def test_edges_beat_chance_and_pixels_by_far_and_lose_to_a_small_cnn(tmp_path: Path) -> None:
    """On 2,250 small drawn shapes, by the best accuracy on the 250 held out."""
    recipe: dict[str, Any] = {
        "data": {
            "name": "shapes",
            "num_train": 2500,
            "num_test": 20,
            "image_size": 16,
            "split": "position",
        },
        "schedule": {"name": "triangular"},
        "augment": {"flip": "none", "translate": 0},
        "batch_size": 50,
        "precision": "float32",
    }
    data = ExperimentConfig.model_validate(recipe).data
    images = load_training_splits(data, DataAccess(tmp_path, offline=True))

    def best_accuracy(model: dict[str, Any], lr: float, num_epochs: int) -> float:
        optimizer = {"name": "sgd", "lr": lr, "momentum": 0.9, "nesterov": True}
        config = ExperimentConfig.model_validate(
            recipe | {"model": model, "optimizer": optimizer, "epochs": num_epochs}
        )
        session = build_session(config, *images, resolve_device("cpu"))
        return max(record.val_accuracy for record in fit(session))

    small = {"widths": [16, 32, 64], "extra_convolutions": [0, 0, 1], "pools": [2, 2, 2]}
    pixels = best_accuracy({"name": "linear"}, 0.01, 3)
    edges = best_accuracy({"name": "hog_linear"}, 0.01, 3)
    cnn = best_accuracy({"name": "fastnet", **small}, 0.2, 5)
    assert pixels + 0.2 < edges < cnn - 0.02
    assert edges > 0.55  # chance: 0.1
