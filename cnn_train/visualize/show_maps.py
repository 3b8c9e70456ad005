"""Feature maps: the values of a layer's channels for an image.

Shape letters: B images, C channels, H W units of a map.
"""

from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor

from ..figures.gallery import Scale, Section, Tile, draw_gallery
from ..figures.style import Drawing
from ..page import Block, Page, numbers, percent, signed, texts
from .layers import Units, unit_maps
from .pictures import picture, spread
from .request import Request

NUM_MAPS = 23
NUM_COLUMNS = 8


def show_maps(request: Request) -> Page:
    """Show the strongest maps of each layer for each image; all maxima are in the document."""
    units = request.units()
    with torch.no_grad():
        maps = unit_maps(request.trained.model, units, request.inputs())
    images = range(len(request.subjects))
    shown = {
        (layer, image): request.choose_channels(maps_BCHW[image].amax(dim=(1, 2)).cpu(), NUM_MAPS)
        for layer, maps_BCHW in maps.items()
        for image in images
    }
    documents = [
        {"image": name, "layers": [_document(layer, maps[layer.layer][image]) for layer in units]}
        for image, name in enumerate(request.subjects.names)
    ]
    return Page(
        blocks=tuple(_describe(request, units, maps, image) for image in images),
        document={"images": documents},
        draw=lambda: _draw(request, units, maps, shown),
    )


def _document(units: Units, maps_CHW: Tensor) -> dict[str, Any]:
    return {
        "layer": units.layer,
        "measured_at": units.measured_at,
        "map_size": list(units.map_size),
        "maxima": maps_CHW.flatten(1).amax(dim=1).tolist(),
        "means": maps_CHW.flatten(1).mean(dim=1).tolist(),
    }


def _describe(request: Request, units: list[Units], maps: dict[str, Tensor], image: int) -> Block:
    rows = []
    for layer in units:
        maps_CHW = maps[layer.layer][image]
        maximum_C = maps_CHW.flatten(1).amax(dim=1)
        strongest = int(maximum_C.argmax())
        rows.append(
            (
                layer.description,
                f"{layer.num_channels:,} of {layer.map_size[1]} × {layer.map_size[0]}",
                percent(float((maximum_C > 0).float().mean()), 0),
                percent(float((maps_CHW > 0).float().mean()), 0),
                request.channel_name(layer, strongest),
                signed(float(maximum_C[strongest])),
            )
        )
    return Block(
        heading=f"{request.subjects.names[image]} ({request.subjects.labels[image]})",
        columns=(
            *texts("layer"),
            *numbers("channels", "above 0", "units above 0", "strongest", "value"),
        ),
        rows=tuple(rows),
    )


def _draw(
    request: Request,
    units: list[Units],
    maps: dict[str, Tensor],
    shown: dict[tuple[str, int], list[int]],
) -> Drawing:
    sections = []
    for image in range(len(request.subjects)):
        original = picture(request.subjects.images_NCHW[image])
        for layer in units:
            maps_CHW = maps[layer.layer][image].float().cpu()
            channels = shown[layer.layer, image]
            scale = scale_of(maps_CHW[channels])
            tiles = [Tile(PurePath(request.subjects.names[image]).name, [original])]
            for channel in channels:
                name = request.channel_name(layer, channel, "channel ")
                tiles.append(Tile(name, [scale.colour(maps_CHW[channel])]))
            size = f"{layer.map_size[1]} × {layer.map_size[0]}"
            number = f"{len(channels)} of {layer.num_channels} maps of {size}"
            heading = f"{layer.description}: {number}"
            sections.append(Section(heading, tiles, NUM_COLUMNS, scale=scale))
    return draw_gallery(sections, f"Feature maps of {request.trained.config.model.name}")


def scale_of(maps: Tensor) -> Scale:
    """Return the colours for activations: from 0 up, or to both sides of 0 if some are negative."""
    limit, least, most = spread(maps), float(maps.min()), float(maps.max())
    cuts = (least < -limit, most > limit)
    if least < 0:
        return Scale("activation", -limit, limit, "RdBu_r", cuts)
    return Scale("activation", 0.0, limit, cuts=cuts)
