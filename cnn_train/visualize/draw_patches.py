"""Draw the strongest patches, and below them the signals that a backward rule sends back.

Shape letters: B patches, C channels of the image, H W pixels.
"""

from collections.abc import Sequence

import torch

from ..figures.gallery import Section, Tile, draw_gallery
from ..figures.style import Drawing
from ..page import count_images, signed
from .backward_rules import RuleName, unit_signals
from .pictures import picture, signed_picture, spread
from .request import Request
from .top_patches import LayerPatches, crop

NUM_COLUMNS = 6
PALE_GREY = 224
"""The level of what lies outside an image."""
RULE_WORDS: dict[RuleName, str] = {"guided": "guided gradients", "deconv": "deconvnet projections"}


def draw_patches(
    request: Request, layers: Sequence[LayerPatches], rule: RuleName | None
) -> Drawing:
    """Draw a section per layer: a tile of patches for each channel, and one of their signals."""
    kind = "Strongest patches"
    if rule and request.signals_only:
        kind = f"{RULE_WORDS[rule].capitalize()} of the strongest patches"
    elif rule:
        kind = f"Strongest patches and their {RULE_WORDS[rule]}"
    sections = [_section(request, layer, rule) for layer in layers]
    images = count_images(len(request.subjects))
    return draw_gallery(sections, f"{kind}: {request.trained.config.model.name}, {images}")


def _section(request: Request, layer: LayerPatches, rule: RuleName | None) -> Section:
    tiles = []
    for start in range(0, len(layer.shown), NUM_COLUMNS):
        row = layer.shown[start : start + NUM_COLUMNS]
        if not request.signals_only:
            tiles += [_patch_tile(request, layer, channel) for channel in row]
        if rule:
            tiles += [_signal_tile(request, layer, channel, rule) for channel in row]
            tiles += [Tile("", [])] * (len(layer.shown[:NUM_COLUMNS]) - len(row))
    heading = layer.heading()
    if dead := layer.dead_channels():
        heading += f"; {len(dead)} never active"
    if layer.any_beyond_border():
        heading += "; pale grey: outside the image"
    columns = min(NUM_COLUMNS, len(layer.shown))
    return Section(heading, tiles, columns, per_tile=layer.places.values_CP.shape[1])


def _patch_tile(request: Request, layer: LayerPatches, channel: int) -> Tile:
    images = request.subjects.images_NCHW[layer.places.image_CP[channel]]
    patches = [
        picture(crop(image_CHW, window, outside=PALE_GREY))
        for image_CHW, window in zip(images, layer.windows(channel), strict=False)
    ]
    return Tile(_title(request, layer, channel), patches)


def _title(request: Request, layer: LayerPatches, channel: int) -> str:
    name = request.channel_name(layer.units, channel, "channel ")
    return f"{name}: {signed(float(layer.places.values_CP[channel, 0]))}"


def _signal_tile(request: Request, layer: LayerPatches, channel: int, rule: RuleName) -> Tile:
    """Draw what the units at the channel's strongest places send back to their images."""
    windows = layer.windows(channel)
    if not windows:
        return Tile("never active", [])
    trained, places, shown = request.trained, layer.places, slice(len(windows))
    images_BCHW = request.subjects.images_NCHW[places.image_CP[channel, shown]]
    inputs_BCHW = trained.normalization(images_BCHW.to(trained.device.torch_device))
    row_B, column_B = places.row_CP[channel, shown], places.column_CP[channel, shown]
    place_B3 = torch.stack((torch.full_like(row_B, channel), row_B, column_B), dim=1)
    signals_BCHW = unit_signals(trained.model, layer.units, inputs_BCHW, place_B3, rule)
    patches = []
    for signal_CHW, window in zip(signals_BCHW, windows, strict=True):
        scale = spread(crop(signal_CHW, window, outside=0))
        patches.append(picture(crop(signed_picture(signal_CHW, scale), window, outside=PALE_GREY)))
    title = _title(request, layer, channel) if request.signals_only else RULE_WORDS[rule]
    return Tile(title, patches)
