"""The loss around the trained weights as a page, a document and a picture.

Shape letters: G distances.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..errors import counted
from ..figures.loss_surface import draw_loss_surface
from ..figures.style import Drawing
from ..losses.regularization import select_parameters
from ..page import Block, Page, aligned, loss_text, numbers, percent, signed, texts
from .descent_path import DescentPath, find_path
from .loss_surface import (
    LossSurface,
    distances,
    losses_along,
    measure_loss_surface,
    measure_losses,
    random_directions,
)
from .request import NO_LABEL, Request

DIRECTIONS = ("d₁", "d₂")
SMALL_STEP_ROUNDINGS = 4
LONG_NUMBER = 1e6
RANDOM_DISTANCE = "distance 1: every filter has moved by its own length; biases and norms stay"
PATH_DISTANCE = "distance: of all weights together from the last ones; biases and norms stay"
SPLIT_WORDS = {"val": "validation", "train": "training"}


def show_loss_surface(request: Request) -> Page:
    """Show how the loss rises around the weights, along random directions or a run's path."""
    trained, number = request.trained, request.num_points
    path = find_path(request.states, trained) if request.states else None
    if path:
        directions, request = path.directions, replace(request, reach=path.reach)
    else:
        directions = random_directions(select_parameters(trained.model, "weights"), request.seed)
    measured = (request.subjects.images_NCHW, request.labels())
    losses_at = losses_along(directions, trained, *measured)
    with request.progress(f"Measuring the loss at {number**2:,} points", number**2) as advance:
        surface = measure_loss_surface(losses_at, distances(request.reach, number), advance)
    page = Page(
        blocks=(_describe(request, surface),),
        document=_document(request, surface),
        draw=lambda: _draw(request, surface, path),
    )
    if path is None:
        return page
    own_S = [measure_losses(one, *measured).sum() for one in path.models]
    plane_S = [losses_at(*place).sum() for place in path.place_S2.tolist()]
    return _with_path(page, request, path, torch.stack([*own_S, *plane_S]).view(2, -1))


def _with_path(page: Page, request: Request, path: DescentPath, losses_2S: Tensor) -> Page:
    """Add the states with their losses 2S: measured there, and at their places in the plane."""
    steps, distances_S = list(request.states), path.distance_S.tolist()
    names = ("step", "place", "distance", "total_loss", "total_loss_in_plane")
    columns = (steps, path.place_S2.tolist(), distances_S, *_finite(losses_2S))
    states = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    losses = [map(loss_text, loss_S) for loss_S in losses_2S.tolist()]
    rows = zip(map("{:,}".format, steps), aligned(distances_S), *losses, strict=True)
    table = Block(
        heading=f"the path: the plane holds {percent(path.share)} of the squared distances of "
        f"{len(steps)} kept states",
        columns=numbers("update", "distance", "loss", "in the plane"),
        rows=tuple(rows),
    )
    document = page.document | {"share_in_plane": path.share, "states": states}
    return replace(page, blocks=(*page.blocks, table), document=document)


def _images(request: Request) -> str:
    return counted(len(request.subjects), f"{SPLIT_WORDS[request.split]} image")


def _describe(request: Request, surface: LossSurface) -> Block:
    total_GG, middle, reach = surface.total, surface.middle, signed(request.reach)
    cuts = (total_GG[middle], total_GG[:, middle])
    values = _numbers([float(loss_G[end]) for loss_G in cuts for end in (0, -1)])
    rows = [
        (name, *values[2 * axis : 2 * axis + 2], *_doubling_words(surface, axis, reach))
        for axis, name in enumerate(DIRECTIONS)
    ]
    names = (f"loss at −{reach}", f"at {reach}", "doubles at", "and at")
    size = f"{request.num_points} × {request.num_points}"
    return Block(
        heading=f"loss at {size} points around the weights: {_images(request)}, "
        + ("along the path" if request.states else f"seed {request.seed}"),
        lines=(
            *_lines(surface),
            PATH_DISTANCE if request.states else RANDOM_DISTANCE,
            *_rounding_words(request, surface),
        ),
        columns=(*texts("along"), *numbers(*names)),
        rows=tuple(rows),
    )


def _lines(surface: LossSurface) -> tuple[str, ...]:
    total_GG, middle = surface.total, surface.middle
    data = float(surface.data_GG[middle, middle])
    regularization = float(surface.regularization_GG[middle, middle])
    is_finite_GG = total_GG.isfinite()
    num_bad = int((~is_finite_GG).sum())
    smallest, largest = (
        int(total_GG.where(is_finite_GG, sign * math.inf).mul(sign).argmin()) for sign in (1, -1)
    )
    return (
        f"trained weights  data {data:.4f} + λR {regularization:.4f} = {data + regularization:.4f}",
        f"smallest         {_place(surface, smallest)}",
        f"largest          {_place(surface, largest)}",
        *([f"not finite       {num_bad:,} of {total_GG.numel():,} points"] if num_bad else ()),
    )


def _rounding_words(request: Request, surface: LossSurface) -> tuple[str, ...]:
    """Warn if the steps between points are hardly larger than the rounding of a weight."""
    precision = request.trained.precision
    step = float(surface.distance_G[-1] - surface.distance_G[-2])
    if (
        request.states
        or not precision.is_low
        or step > SMALL_STEP_ROUNDINGS * torch.finfo(precision.dtype).eps
    ):
        return ()
    return (f"{precision.name} rounds steps as small as these: what looks rough may be smooth",)


def _place(surface: LossSurface, index: int) -> str:
    row, column = divmod(index, len(surface.distance_G))
    first, second = (signed(float(surface.distance_G[i])) for i in (column, row))
    return f"{_rounded(float(surface.total[row, column]), 4)} at ({first}, {second})"


def _rounded(value: float, digits: int) -> str:
    """Return ``digits`` significant digits, also zeros at the end."""
    return f"{value:#.{digits}g}".rstrip(".")


def _numbers(losses: Sequence[float]) -> list[str]:
    known = [loss for loss in losses if math.isfinite(loss)]
    is_long = max(known, default=0) >= LONG_NUMBER
    finite = iter([signed(loss) for loss in known] if is_long else aligned(known))
    return [next(finite) if math.isfinite(loss) else "not finite" for loss in losses]


def _doubling_words(surface: LossSurface, axis: int, reach: str) -> list[str]:
    if surface.total[surface.middle, surface.middle] <= 0:
        return [NO_LABEL, NO_LABEL]
    back, forth = surface.doubling_distances(axis)
    return [
        f"beyond −{reach}" if back is None else f"−{_rounded(back, 2)}",
        f"beyond {reach}" if forth is None else _rounded(forth, 2),
    ]


def _document(request: Request, surface: LossSurface) -> dict[str, Any]:
    total_GG, middle = surface.total, surface.middle
    return {
        "split": request.split,
        "plane": "path" if request.states else "random",
        "seed": None if request.states else request.seed,
        "reach": request.reach,
        "distances": surface.distance_G.tolist(),
        "trained": {
            "data_loss": float(surface.data_GG[middle, middle]),
            "regularization": float(surface.regularization_GG[middle, middle]),
            "total_loss": float(total_GG[middle, middle]),
        },
        "data_loss": _finite(surface.data_GG),
        "regularization": _finite(surface.regularization_GG),
        "total_loss": _finite(total_GG),
        "num_not_finite": int((~total_GG.isfinite()).sum()),
        "doubling_distances": {
            "first": surface.doubling_distances(0),
            "second": surface.doubling_distances(1),
        },
        "images": list(request.subjects.names),
    }


def _finite(loss_GG: Tensor) -> list[list[float | None]]:
    """Return rows along the second direction; None in place of what is not finite, for JSON."""
    return [[x if math.isfinite(x) else None for x in row] for row in loss_GG.tolist()]


def _draw(request: Request, surface: LossSurface, path: DescentPath | None) -> Drawing:
    title = f"Loss around the weights of {request.trained.config.model.name}, {_images(request)}"
    way = dict(zip(request.states, path.place_S2.tolist(), strict=True)) if path else None
    return draw_loss_surface(surface.distance_G, surface.total, title, way)
