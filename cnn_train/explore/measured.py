"""What a whole set of images, or every checkpoint of a run, says about a network.

Shape letters: N images, C channels, O I output and input channels, K classes, D features.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ..data.image_set import ImageSet, spread_evenly
from ..errors import CheckpointError, UsageError
from ..visualize.features import last_features, principal_components
from ..visualize.top_patches import LayerPatches, Window, crop, find_places
from .checkpoints import Choice, OpenCheckpoints, Opened
from .images import MOST_MEASURED
from .question import Question, pack_pixels, pack_signed, read_pixels, rounded

MOST_POINTS, POINTS_AT_ONCE = 500, 100
MOST_NEAREST = 8
MOST_FILTERS, MOST_INPUTS = 64, 16
MID_GREY = 128


def answer_patches(opened: Opened, question: Question, images: ImageSet) -> dict[str, Any]:
    """Answer ``patches``: where a channel is strongest, and which channels of its layer are dead.

    The layer's places are kept: the next channel costs nothing.
    """
    units = opened.layer(question.layer).units
    if question.layer not in opened.places:
        found = find_places(opened.trained.model, [units], opened.request.batches(""))
        opened.places[question.layer] = found[units.layer]
    places, channel = opened.places[question.layer], question.channel
    if not 0 <= channel < units.num_channels:
        raise UsageError(f"{units.layer}: has the channels 0 to {units.num_channels - 1}")
    _, height, width = opened.trained.image_shape
    layer = LayerPatches(units, places, [channel], (height, width))
    index_N, patches = spread_evenly(len(images), MOST_MEASURED), []
    for place, window in enumerate(layer.windows(channel)):
        measured, side = int(places.image_CP[channel, place]), max(window.height, window.width)
        square = Window(window.top, window.left, side, side)
        image_CHW = opened.request.subjects.images_NCHW[measured]
        index = int(index_N[measured])
        patches.append(
            {
                "value": rounded(float(places.values_CP[channel, place])),
                "image": index,
                "label": int(images.labels_N[index]),
                "side": side,
                "pixels": pack_pixels(crop(image_CHW, square, outside=MID_GREY)),
            }
        )
    return {
        "patches": patches,
        "num_images": places.num_images,
        "num_active": int(places.num_active_C[channel]),
        "dead": layer.dead_channels() or [],
    }


def answer_filters(opened: Opened, question: Question) -> dict[str, Any]:
    """Answer ``filters``: the weights OIHW of a layer, of its first channels."""
    layer = opened.layer(question.layer)
    if layer.filter_shape is None:
        raise UsageError(f"{layer.name}: has no filters")
    weights: Any = layer.units.module.weight
    weights_OIHW = weights.detach().reshape(-1, *layer.filter_shape)[:MOST_FILTERS, :MOST_INPUTS]
    return {"shape": list(weights_OIHW.shape), **pack_signed(weights_OIHW)}


def answer_history(checkpoints: OpenCheckpoints, question: Question) -> dict[str, Any]:
    """Answer ``history``: what each checkpoint says of an image.

    Left out are checkpoints that are of no use: a run that still trains removes old ones. Of a
    branch, ``left`` is what the run that it left says from there on.
    """
    left = checkpoints.left
    own = _scores(checkpoints, checkpoints.choices, question)
    theirs = _scores(checkpoints, [one.key for one in left.choices] if left else [], question)
    known = all(one.trained.config.loss.gives_probabilities for one, _ in (*own, *theirs))
    return {
        "steps": [_verdict(one.choice, scores_K, known=known) for one, scores_K in own],
        "left": left
        and {
            "name": left.name,
            "step": left.step,
            "steps": [_verdict(one.choice, scores_K, known=known) for one, scores_K in theirs],
        },
    }


def _scores(
    checkpoints: OpenCheckpoints, keys: Iterable[str], question: Question
) -> list[tuple[Opened, Tensor]]:
    """Return the scores K that each usable checkpoint gives the question's image."""
    found = []
    for opened in _usable(checkpoints, list(keys)):
        trained = opened.trained
        scores_K = trained.scores(read_pixels(question.pixels, trained.image_shape[1]))[0]
        if bool(scores_K.isfinite().all()):
            found.append((opened, scores_K))
    return found


def _verdict(choice: Choice, scores_K: Tensor, *, known: bool) -> dict[str, Any]:
    """Return what a checkpoint says: probabilities, where they are known of all of them."""
    values = scores_K.double().softmax(dim=0) if known else scores_K
    return {
        "key": choice.key,
        "step": choice.step,
        "epoch": choice.epoch,
        "predicted": int(scores_K.argmax()),
        "probabilities" if known else "scores": rounded(values.tolist(), 6),
    }


def _usable(checkpoints: OpenCheckpoints, keys: list[str]) -> Iterator[Opened]:
    for key in keys:
        with suppress(CheckpointError):
            yield checkpoints.open(key)


@dataclass(frozen=True)
class Cloud:
    """Features of some images along two directions: (features − centre_D) · basis_D2."""

    features_ND: Tensor
    points_N2: Tensor
    centre_D: Tensor
    basis_D2: Tensor


def answer_embedding(
    checkpoints: OpenCheckpoints, question: Question, clouds: dict[str, Cloud], num_images: int
) -> dict[str, Any]:
    """Answer ``embedding``: a map of images by what the last layer reads, and where one lies on it.

    ``nearest``: those whose features, all of them, are nearest to its own; itself is left out.
    Each checkpoint's map is turned to that of the checkpoint after it, so that points move over
    the training and do not jump. ``clouds``: those that are known.
    """
    opened, keys, after = checkpoints.open(question.checkpoint), list(checkpoints.choices), None
    if opened.choice.key not in keys:
        raise UsageError(f"checkpoint {opened.choice.key!r}: is of the run that this one left")
    later = keys[keys.index(opened.choice.key) :]
    for one in _usable(checkpoints, later[::-1]):
        if one.choice.key not in clouds:
            clouds[one.choice.key] = _turned(_cloud(one), after)
        after = clouds[one.choice.key]
    cloud = clouds[opened.choice.key]
    _, features_1D = last_features(opened.trained.model, [opened.inputs(question)])
    here_2 = ((features_1D.double() - cloud.centre_D) @ cloud.basis_D2)[0]
    subjects = opened.request.subjects
    measured_N = spread_evenly(len(subjects), MOST_POINTS)
    split_N = spread_evenly(num_images, len(subjects))[measured_N]
    order_N = (cloud.features_ND - features_1D).norm(dim=1).argsort(stable=True).tolist()
    pixels = read_pixels(question.pixels, opened.trained.image_shape[1])[0]
    others = (i for i in order_N if not subjects.images_NCHW[measured_N[i]].equal(pixels))
    return {
        "points": rounded(cloud.points_N2.tolist(), 5),
        "labels": opened.request.labels()[measured_N].tolist(),
        "images": split_N.tolist(),
        "here": rounded(here_2.tolist(), 5),
        "nearest": [int(split_N[i]) for i in islice(others, MOST_NEAREST)],
    }


def _cloud(opened: Opened) -> Cloud:
    """Find the two directions of greatest variance of the images' last features."""
    trained, subjects = opened.trained, opened.request.subjects
    indices = torch.split(spread_evenly(len(subjects), MOST_POINTS), POINTS_AT_ONCE)
    place = trained.device.torch_device
    pieces = (subjects.images_NCHW[index_B].to(place) for index_B in indices)
    _, features_ND = last_features(trained.model, map(trained.normalization, pieces))
    points_N2, _ = principal_components(features_ND)
    centre_D = features_ND.double().mean(dim=0)
    # X W = P, where the columns of W are eigenvectors of XᵀX: XᵀP = W · (the variances)
    variances_2 = points_N2.square().sum(dim=0).clamp(min=1e-12)
    basis_D2 = (features_ND.double() - centre_D).T @ points_N2 / variances_2
    return Cloud(features_ND, points_N2, centre_D, basis_D2)


def _turned(cloud: Cloud, to: Cloud | None) -> Cloud:
    """Turn (or mirror) a cloud as near as it goes to another of the same images.

    Orthogonal Procrustes: Schönemann, 1966.
    """
    if to is None:
        return cloud
    left, _, right = torch.linalg.svd(cloud.points_N2.T @ to.points_N2)
    turn = left @ right
    return replace(cloud, points_N2=cloud.points_N2 @ turn, basis_D2=cloud.basis_D2 @ turn)
