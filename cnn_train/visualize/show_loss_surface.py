"""The loss around the trained weights as a page, a document and a picture.

Shape letters: G distances.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import counted
from ..figures.loss_surface import draw_loss_surface
from ..figures.style import Drawing
from ..page import Block, Page, aligned, numbers, signed, texts
from .loss_surface import LossSurface, distances, measure_loss_surface
from .request import NO_LABEL, Request

DIRECTIONS = ("d₁", "d₂")
SMALL_STEP_ROUNDINGS = 4
LONG_NUMBER = 1e6
SPLIT_WORDS = {"val": "validation", "train": "training"}


def show_loss_surface(request: Request) -> Page:
    """Show how the loss rises around the weights along two random directions."""
    labels_N, number = request.labels(), request.num_points
    with request.progress(f"Measuring the loss at {number**2:,} points", number**2) as advance:
        surface = measure_loss_surface(
            request.trained, request.subjects.images_NCHW, labels_N,
            distances(request.reach, number), seed=request.seed, advance=advance,
        )  # fmt: skip
    return Page(
        blocks=(_describe(request, surface),),
        document=_document(request, surface),
        draw=lambda: _draw(request, surface),
    )


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
        f"seed {request.seed}",
        lines=(*_lines(surface), *_rounding_words(request, surface)),
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
        "distance 1: every filter has moved by its own length; biases and norms stay",
    )


def _rounding_words(request: Request, surface: LossSurface) -> tuple[str, ...]:
    """Warn if the steps between points are hardly larger than the rounding of a weight."""
    precision = request.trained.precision
    step = float(surface.distance_G[-1] - surface.distance_G[-2])
    if not precision.is_low or step > SMALL_STEP_ROUNDINGS * torch.finfo(precision.dtype).eps:
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
        "seed": request.seed,
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


def _draw(request: Request, surface: LossSurface) -> Drawing:
    title = f"Loss around the weights of {request.trained.config.model.name}, {_images(request)}"
    return draw_loss_surface(surface.distance_G, surface.total, title)
