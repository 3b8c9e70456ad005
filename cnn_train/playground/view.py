"""The state of an experiment as a document of plain values, for a page to draw.

Shape letters: G cells along a side of a grid, U units of a layer.
"""

import math
from base64 import b64encode
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from .experiment import Experiment
from .formula import (
    CODE,
    LOSS_FORMULAS,
    MOMENTUM_CODE,
    Place,
    all_places,
    name_place,
    weight_step,
    write_formula,
)
from .network import FEATURE_SIGNS, FEATURES, class_lead, compute_features, grid_points
from .settings import resolve_settings, write_address
from .toy_sets import CLASS_NAMES, REACH, TOY_SETS, Points, draw_toy_set

VIEW_REACH = 1.2 * REACH
"""The surface is drawn a little beyond the points."""

SURFACE_SIDE = 96
MAP_SIDE = 20
"""Cells along the side of the output's map, and of each neuron's."""

THUMBNAIL_POINTS = 160


def view_of_page() -> dict[str, Any]:
    """Return what does not change while a page is open: the choices, names and signs."""
    toy_sets = {
        name: view_of_points(draw_toy_set(name, THUMBNAIL_POINTS, 0.05, 1.0, seed=0)[0])
        for name in TOY_SETS
    }
    features = compute_features(grid_points(MAP_SIDE, VIEW_REACH), list(FEATURES))
    return {
        "toy_sets": toy_sets,
        "features": FEATURE_SIGNS,
        "classes": CLASS_NAMES,
        "reach": VIEW_REACH,
        "surface_side": SURFACE_SIDE,
        "map_side": MAP_SIDE,
        "feature_maps": {
            name: encode(scaled(values))
            for name, values in zip(FEATURES, features.unbind(1), strict=True)
        },
    }


def view_of_start(experiment: Experiment) -> dict[str, Any]:
    """Return what does not change while an experiment goes on: settings and points."""
    settings = experiment.settings
    suggestion = resolve_settings({"dataset": settings.dataset, "seed": settings.seed}, "suggested")
    return {
        "settings": settings.model_dump(mode="json"),
        "address": write_address(settings),
        "suggested_address": write_address(suggestion),
        "loss_formula": LOSS_FORMULAS[settings.loss],
        "code": MOMENTUM_CODE if settings.momentum else CODE,
        "places": [
            {"name": name_place(place, settings), **asdict(place)}
            for place in all_places(experiment)
        ],
        "steps_per_epoch": experiment.steps_per_epoch,
        "train_points": view_of_points(experiment.train),
        "test_points": view_of_points(experiment.test),
    }


def view_of_step(experiment: Experiment, place: Place) -> dict[str, Any]:
    """Return the experiment's present state: measures, maps, weights, the formula at ``place``.

    If the network has no such place, its first weight is taken.
    """
    if place not in all_places(experiment):
        place = Place()
    measures = experiment.measure()
    update, step = experiment.update, weight_step(experiment, place)
    layers = experiment.network.linear_layers
    maps = _outputs_on_grid(experiment, MAP_SIDE)[1:]  # the page knows those of the features
    return {
        "step": experiment.step,
        "epoch": experiment.epoch,
        "train": _measures(measures.train_loss, measures.train_accuracy),
        "test": _measures(measures.test_loss, measures.test_accuracy),
        "weights": [layer.weight.tolist() for layer in layers],
        "biases": [layer.bias.tolist() for layer in layers],
        "surface": encode(surface(experiment, SURFACE_SIDE).flatten()),
        "maps": [[encode(scaled(unit)) for unit in layer.T] for layer in maps],
        "place": asdict(place),
        "num_points": update.num_points if update else 0,
        "formula": [asdict(line) for line in write_formula(experiment, place)],
        "weight_step": step._asdict() if step else None,
        "problem": experiment.problem,
    }


def surface(experiment: Experiment, side: int) -> Tensor:
    """Return how far blue leads at each cell: float64 in [−1, 1], side×side, top row first."""
    scores = _outputs_on_grid(experiment, side)[-1]
    return class_lead(scores, experiment.settings.loss).reshape(side, side)


def _outputs_on_grid(experiment: Experiment, side: int) -> list[Tensor]:
    features = experiment.features_of(grid_points(side, VIEW_REACH))
    return experiment.network.outputs_by_layer(features)


def scaled(values: Tensor) -> Tensor:
    """Divide by the largest absolute value; what is zero everywhere stays zero."""
    return values / values.abs().max().clamp(min=1e-12)


def encode(values: Tensor) -> str:
    """Pack values in [−1, 1] as one signed byte each, −127 to 127, in base64."""
    numbers = (values.nan_to_num() * 127).round().to(torch.int8)
    return b64encode(numbers.numpy().tobytes()).decode()


def view_of_points(points: Points) -> dict[str, Any]:
    """Return the coordinates, rounded to what a screen can show, and the labels."""
    coordinates = [[round(x1, 3), round(x2, 3)] for x1, x2 in points.points_N2.tolist()]
    return {"points": coordinates, "labels": points.labels_N.tolist()}


def _measures(loss: float, accuracy: float) -> dict[str, float | None]:
    """Write a loss that is not finite as null, for JSON has no infinity."""
    return {"loss": loss if math.isfinite(loss) else None, "accuracy": accuracy}
