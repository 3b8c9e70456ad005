"""Which pixels speak for a class, image by image: saliency, cam and occlusion.

Shape letters: B images, K classes, H W pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from ..figures.gallery import ColoursName, Scale, Section, Tile, draw_gallery
from ..figures.style import Drawing, shorten, shorten_apart
from ..page import Block, Page, aligned, numbers, signed, texts
from .attribution import enlarge, grad_cam, occlusion, saliency
from .layers import Units, find_units, last_map
from .pictures import overlay, picture, spread
from .request import NO_LABEL, Request

WINDOW_PARTS, STRIDE_PARTS = 4, 4
"""By default a window is a quarter of the image, and moves by a quarter of itself."""
EQUAL_SHARE = 1e-6
"""Values that differ by less than this part of the map's largest size count as equal."""
MOST_COLUMNS = 5
LONGEST_NAME = 18
LONGEST_CLASS = 13
"""Letters of a class above a picture that has room for two of them."""
SILENT = "nothing there speaks for the class (a map of zeros)"


@dataclass(frozen=True)
class Explained:
    """Maps BHW on the CPU, and per image: the predicted class, the explained one, its score."""

    what: str
    maps_BHW: Tensor
    predicted: list[str]
    classes: list[str]
    scores: list[float]


def show_saliency(request: Request) -> Page:
    """Show how strongly the score of a class depends on each pixel."""
    what = "saliency: largest |∂ score / ∂ pixel| over the colours, pixels from 0 to 1"
    model, deviation_C = request.trained.model, torch.tensor(request.trained.normalization.std)
    return _show(request, what, lambda x, c: saliency(model, x, c, deviation_C), "magma")


def show_cam(request: Request) -> Page:
    """Show where the maps of a layer speak for a class (Grad-CAM)."""
    units, trained = _cam_units(request), request.trained
    what = f"Grad-CAM at {units.description}, {units.map_size[1]} × {units.map_size[0]} units"

    def explain(inputs_BCHW: Tensor, class_B: Tensor) -> Tensor:
        map_Bhw = grad_cam(trained.model, units, inputs_BCHW, class_B)
        return enlarge(map_Bhw, trained.image_shape[1:])

    return _show(request, what, explain, "magma")


def show_occlusion(request: Request) -> Page:
    """Show what the score of a class loses where the image is covered."""
    side_px = min(request.trained.image_shape[1:])
    window_px = request.window_px or max(1, side_px // WINDOW_PARTS)
    if window_px > side_px:
        raise UsageError(f"--window {window_px}: the image's side is {side_px} px; choose less")
    stride_px = max(1, window_px // STRIDE_PARTS)
    size = f"{window_px} × {window_px} px"
    what = f"occlusion: mean drop of the score where {size} are covered, less at the border"

    def explain(inputs_BCHW: Tensor, class_B: Tensor) -> Tensor:
        model, maps = request.trained.model, []
        size_px = {"window_px": window_px, "stride_px": stride_px}
        with request.progress("Covering every place", len(inputs_BCHW)) as advance:
            for input_CHW, label in zip(inputs_BCHW, class_B.tolist(), strict=True):
                maps.append(occlusion(model, input_CHW, label, **size_px))
                advance(1)
        return torch.stack(maps)

    return _show(request, what, explain, "RdBu_r")


def _cam_units(request: Request) -> Units:
    """Return the layer that was named, or the last one that still has a map of some size."""
    if len(request.layers) > 1:
        raise UsageError("visualize cam: name one --layer")
    name = request.layers[0] if request.layers else last_map(request.runs)
    if name is None:
        raise UsageError("visualize cam: the model has no maps; use saliency or occlusion")
    units = find_units(request.runs, name)
    if units.map_size == (1, 1):
        raise UsageError(f"--layer {name}: has no map; choose a layer before the last pooling")
    return units


def _show(
    request: Request, what: str, explain: Callable[[Tensor, Tensor], Tensor], colours: ColoursName
) -> Page:
    inputs_BCHW = request.inputs()
    with torch.no_grad():
        scores_BK = request.trained.model(inputs_BCHW)
    class_B, names = request.classes(scores_BK), request.trained.class_names
    explained = Explained(
        what,
        explain(inputs_BCHW, class_B).float().cpu(),
        [names[k] for k in scores_BK.argmax(dim=1).tolist()],
        [names[k] for k in class_B.tolist()],
        scores_BK.gather(1, class_B[:, None])[:, 0].tolist(),
    )
    return Page(
        blocks=(_describe(request, explained),),
        document={"what": what, "images": _documents(request, explained)},
        draw=lambda: _draw(request, explained, colours),
    )


def _documents(request: Request, explained: Explained) -> list[dict[str, Any]]:
    subjects = request.subjects
    return [
        {
            "image": subjects.names[i],
            "label": None if subjects.labels[i] == NO_LABEL else subjects.labels[i],
            "predicted": explained.predicted[i],
            "explained": explained.classes[i],
            "score": explained.scores[i],
            "peak": list(peak_of(map_HW)),
            "map": map_HW.tolist(),
        }
        for i, map_HW in enumerate(explained.maps_BHW)
    ]


def peak_of(map_HW: Tensor) -> tuple[int, int]:
    """Return row and column of the largest value; of equal ones, that nearest to their middle.

    An enlarged map has areas of equal values, as large as a unit.
    """
    least = map_HW.max() - EQUAL_SHARE * map_HW.abs().max()
    places_N2 = (map_HW >= least).nonzero()
    offsets_N2 = places_N2.double() - places_N2.double().mean(dim=0)
    row, column = places_N2[int(offsets_N2.norm(dim=1).argmin())].tolist()
    return row, column


def _describe(request: Request, explained: Explained) -> Block:
    columns = (
        [shorten(name, LONGEST_NAME, keep_end=True) for name in request.subjects.names],
        request.subjects.labels,
        explained.predicted,
        explained.classes,
        aligned(explained.scores),
        aligned(explained.maps_BHW.amax(dim=(1, 2)).tolist()),
        ["{}, {}".format(*peak_of(map_HW)) for map_HW in explained.maps_BHW],
    )
    silent = sum(not map_HW.any() for map_HW in explained.maps_BHW)
    return Block(
        heading=explained.what,
        lines=(f"{SILENT}: {silent} of {len(explained.scores)}",) if silent else (),
        columns=(
            *texts("image", "class", "predicted", "explained"),
            *numbers("score", "peak", "at y, x"),
        ),
        rows=tuple(zip(*columns, strict=True)),
    )


def _draw(request: Request, explained: Explained, colours: ColoursName) -> Drawing:
    """Draw the images, the maps laid over them, and the maps alone, each on its own scale."""
    shares_BHW = torch.stack([map_HW / spread(map_HW) for map_HW in explained.maps_BHW])
    cuts = (bool(shares_BHW.min() < -1), bool(shares_BHW.max() > 1))
    low = -1.0 if colours == "RdBu_r" else 0.0
    scale = Scale("relative to each map", low, 1.0, colours, cuts)
    names = shorten_apart(request.trained.class_names, LONGEST_CLASS)
    shorter = dict(zip(request.trained.class_names, names, strict=True))
    originals, overlays, maps = [], [], []
    for image, (map_HW, share_HW) in enumerate(zip(explained.maps_BHW, shares_BHW, strict=True)):
        original_HWC = picture(request.subjects.images_NCHW[image])
        colours_HWC = scale.colour(share_HW)
        predicted = shorter[explained.predicted[image]]
        label = shorter.get(request.subjects.labels[image], request.subjects.labels[image])
        words = f"{label} → {predicted}" if label != NO_LABEL else f"→ {predicted}"
        originals.append(Tile(words, [original_HWC]))
        overlays.append(Tile("", [overlay(original_HWC, colours_HWC, share_HW.abs())]))
        peak = f"peak {signed(float(map_HW.max()))}" if map_HW.any() else "nothing"
        maps.append(Tile(f"{shorter[explained.classes[image]]}: {peak}", [colours_HWC]))
    columns = min(MOST_COLUMNS, len(originals))
    sections = [
        Section("the images: class → predicted", originals, columns),
        Section(explained.what, maps, columns, scale=scale),
        Section("laid over the images", overlays, columns, num_title_lines=0),
    ]
    method = explained.what.split()[0].removesuffix(":")
    title = f"{request.trained.config.model.name}: what speaks for a class, by {method}"
    return draw_gallery(sections, title)
