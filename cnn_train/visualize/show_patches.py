"""The patches that excite each channel most, and what in them does: top-patches, guided, deconv.

Shape letters: B patches, C channels, P places per channel, H W pixels.
"""

from collections import Counter
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..figures.gallery import Section, Tile, draw_gallery
from .backward_rules import RuleName, unit_signals
from .layers import Units
from .pictures import picture, signed_picture, spread
from .request import NO_LABEL, Block, Column, Request, Visualization, aligned, signed
from .top_patches import Places, Window, crop, find_places, window_of

NUM_CHANNELS = 6
NUM_COLUMNS = 6
WHITE = 255
MOST_NAMED = 10
NUM_CLASSES_NAMED = 3


def show_top_patches(request: Request) -> Visualization:
    """Show for the strongest channels of each layer the patches that excite them most."""
    return _show(request, None)


def show_guided(request: Request) -> Visualization:
    """Show beside the strongest patches what guided backpropagation brings back from them."""
    return _show(request, "guided")


def show_deconv(request: Request) -> Visualization:
    """Show beside the strongest patches what the deconvolutional network makes of them."""
    return _show(request, "deconv")


def _show(request: Request, rule: RuleName | None) -> Visualization:
    units, model = request.units(), request.trained.model
    if rule:
        _require_rule(request, units, rule)
    description = f"Searching {len(request.subjects):,} images for the strongest places"
    places = find_places(model, units, request.batches(description))
    shown = {
        one.layer: request.choose_channels(places[one.layer].values_CP[:, 0], NUM_CHANNELS)
        for one in units
    }
    layers = [(one, places[one.layer], shown[one.layer]) for one in units]
    return Visualization(
        blocks=tuple(_describe(request, *layer) for layer in layers),
        document={"layers": [_document(request, *layer) for layer in layers]},
        draw=lambda: _draw(request, layers, rule),
    )


def _require_rule(request: Request, units: list[Units], rule: RuleName) -> None:
    """Try the rule on one image, so that a network without it is refused before the search."""
    for one in units:
        place_13 = torch.zeros(1, 3, dtype=torch.int64)
        unit_signals(request.trained.model, one, request.inputs()[:1], place_13, rule)


def _num_active(units: Units, places: Places, channel: int) -> int:
    """Return how many of a channel's places are worth showing: where it ends in ReLU, positive."""
    values_P = places.values_CP[channel]
    return int((values_P > 0).sum()) if units.can_be_dead else len(values_P)


def _windows(request: Request, units: Units, places: Places, channel: int) -> list[Window]:
    _, height, width = request.trained.image_shape
    return [
        window_of(
            units.field,
            int(places.row_CP[channel, p]),
            int(places.column_CP[channel, p]),
            (height, width),
        )
        for p in range(_num_active(units, places, channel))
    ]


def _heading(units: Units) -> str:
    height, width = units.map_size
    size = f"{units.num_channels:,} channels" + (
        f" of {width} × {height} units" if units.field.axes else ""
    )
    seen = " × ".join(str(side) for side in reversed(units.field.size_px))
    sees = f"a unit sees {seen} px" if units.field.axes else "a unit sees the whole image"
    return f"{units.description}: {size}; {sees}"


def _dead_words(units: Units, places: Places) -> str:
    if not units.can_be_dead:
        return f"{units.measured_at} is no ReLU: dead channels are not counted"
    dead, images = places.dead_channels(), f"{places.num_images:,} images"
    if not dead:
        return f"no dead channels on {images}"
    names = ", ".join(map(str, dead[:MOST_NAMED])) + (" …" if len(dead) > MOST_NAMED else "")
    return f"{len(dead)} of {units.num_channels} channels dead on {images}: {names}"


def _describe(request: Request, units: Units, places: Places, shown: list[int]) -> Block:
    numbers = [_num_active(units, places, channel) for channel in shown]
    strongest = [float(places.values_CP[channel, 0]) for channel in shown]
    weakest = [
        float(places.values_CP[channel, max(number - 1, 0)])
        for channel, number in zip(shown, numbers, strict=True)
    ]
    texts = aligned([*strongest, *weakest])  # with equally many decimals
    columns = (
        map(str, shown),
        [f"{100 * int(places.num_active_C[c]) / places.num_images:.1f} %" for c in shown],
        texts[: len(shown)],
        texts[len(shown) :],
        [_origins(request, places, *pair) for pair in zip(shown, numbers, strict=True)],
    )
    return Block(
        heading=_heading(units),
        lines=(_dead_words(units, places),),
        columns=(
            *map(Column, ("channel", "positive on", "strongest", "weakest")),
            Column("what its patches come from", is_number=False),
        ),
        rows=tuple(zip(*columns, strict=True)),
    )


def _origins(request: Request, places: Places, channel: int, number: int) -> str:
    """Return the classes of a channel's images, or the images' names where they have none."""
    images = places.image_CP[channel, :number].tolist()
    subjects = request.subjects
    return _kinds(
        [
            subjects.names[i] if subjects.labels[i] == NO_LABEL else subjects.labels[i]
            for i in images
        ]
    )


def _kinds(labels: list[str]) -> str:
    """Return the classes of some images with their numbers, the most frequent first."""
    common = Counter(labels).most_common()
    words = [f"{label} {number}" for label, number in common[:NUM_CLASSES_NAMED]]
    return ", ".join(words) + (" …" if len(common) > NUM_CLASSES_NAMED else "")


def _document(request: Request, units: Units, places: Places, shown: list[int]) -> dict[str, Any]:
    return {
        "layer": units.layer,
        "measured_at": units.measured_at,
        "num_channels": units.num_channels,
        "map_size": list(units.map_size),
        "receptive_field_px": list(units.field.size_px),
        "num_images": places.num_images,
        "dead_channels": places.dead_channels() if units.can_be_dead else None,
        "channels": [_channel_document(request, units, places, channel) for channel in shown],
    }


def _channel_document(
    request: Request, units: Units, places: Places, channel: int
) -> dict[str, Any]:
    patches = []
    for p, window in enumerate(_windows(request, units, places, channel)):
        image = int(places.image_CP[channel, p])
        label = request.subjects.labels[image]
        patches.append(
            {
                "image": request.subjects.names[image],
                "label": None if label == NO_LABEL else label,
                "activation": float(places.values_CP[channel, p]),
                "row": int(places.row_CP[channel, p]),
                "column": int(places.column_CP[channel, p]),
                "window_px": [window.top, window.left, window.height, window.width],
            }
        )
    num_active = int(places.num_active_C[channel])
    return {"channel": channel, "num_active_images": num_active, "patches": patches}


def _draw(
    request: Request, layers: list[tuple[Units, Places, list[int]]], rule: RuleName | None
) -> Figure:
    sections = []
    for units, places, shown in layers:
        tiles = []
        for start in range(0, len(shown), NUM_COLUMNS):
            row = shown[start : start + NUM_COLUMNS]
            tiles += [_patch_tile(request, units, places, channel) for channel in row]
            if rule:
                tiles += [_signal_tile(request, units, places, channel, rule) for channel in row]
        dead = len(places.dead_channels()) if units.can_be_dead else 0
        heading = _heading(units) + (f"; {dead} dead" if dead else "")
        columns = min(NUM_COLUMNS, len(shown))
        per_tile = places.values_CP.shape[1]
        sections.append(Section(heading, tiles, columns, per_tile))
    kind = "Strongest patches" + (f" and their {_RULE_WORDS[rule]}" if rule else "")
    images = f"{len(request.subjects):,} images" if len(request.subjects) > 1 else "one image"
    return draw_gallery(sections, f"{kind}: {request.trained.config.model.name}, {images}")


_RULE_WORDS: dict[RuleName, str] = {
    "guided": "guided gradients",
    "deconv": "deconvnet projections",
}


def _patch_tile(request: Request, units: Units, places: Places, channel: int) -> Tile:
    windows = _windows(request, units, places, channel)
    images = [request.subjects.images_NCHW[int(i)] for i in places.image_CP[channel]]
    patches = [
        picture(crop(image, window, outside=WHITE))
        for image, window in zip(images, windows, strict=False)
    ]
    strongest = signed(float(places.values_CP[channel, 0]))
    return Tile(f"channel {channel}: {strongest}", patches)


def _signal_tile(
    request: Request, units: Units, places: Places, channel: int, rule: RuleName
) -> Tile:
    windows = _windows(request, units, places, channel)
    if not windows:
        return Tile("never active", [])
    signals_BCHW = _signals(request, units, places, channel, len(windows), rule)
    patches = []
    for signal_CHW, window in zip(signals_BCHW, windows, strict=True):
        scale = spread(crop(signal_CHW, window, outside=0))
        patches.append(picture(crop(signed_picture(signal_CHW, scale), window, outside=WHITE)))
    return Tile(_RULE_WORDS[rule], patches)


def _signals(
    request: Request, units: Units, places: Places, channel: int, number: int, rule: RuleName
) -> Tensor:
    """Return BCHW: what the channel's ``number`` strongest places send back to their images."""
    trained = request.trained
    image_B = places.image_CP[channel, :number]
    inputs_BCHW = trained.normalization(
        request.subjects.images_NCHW[image_B].to(trained.device.torch_device)
    )
    row_B, column_B = places.row_CP[channel, :number], places.column_CP[channel, :number]
    place_B3 = torch.stack((torch.full_like(row_B, channel), row_B, column_B), dim=1)
    return unit_signals(trained.model, units, inputs_BCHW, place_B3, rule)
