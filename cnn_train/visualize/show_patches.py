"""The patches that excite each channel most, and why: top-patches, guided, deconv.

Shape letters: C channels, P places per channel.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..errors import UsageError, name_some
from ..page import Block, Page, aligned, count_images, numbers, percent, texts
from .backward_rules import RuleName, count_ruled
from .draw_patches import draw_patches
from .layers import Units
from .request import NO_LABEL, Request
from .top_patches import LayerPatches, choose_channels, find_places

MOST_DEAD_NAMED = 10
MOST_KINDS_NAMED = 3
PLAIN_WORDS = ("no ReLU lies below these units: what is drawn of them is the true gradient",)
LATE_WORDS = (
    "strongest first, but a channel with the same images as a stronger one comes after all others",
)


def show_patches(request: Request, rule: RuleName | None = None) -> Page:
    """Show for the strongest channels of each layer the patches that excite them most.

    With a ``rule``, also the signals that its backward pass sends back to these patches.
    """
    units, (_, height, width) = request.units(), request.trained.image_shape
    plain = _require_rule(request, units, rule) if rule else []
    description = f"Searching {count_images(len(request.subjects))} for the strongest places"
    places = find_places(request.trained.model, units, request.batches(description))
    layers = []
    for layer_units in units:
        strongest = places[layer_units.layer]
        shown = choose_channels(request, strongest)
        layers.append(LayerPatches(layer_units, strongest, shown, (height, width)))
    return Page(
        blocks=tuple(_describe(request, layer, plain) for layer in layers),
        document={"layers": [_document(request, layer) for layer in layers]},
        draw=lambda: draw_patches(request, layers, rule),
    )


def _require_rule(request: Request, units: list[Units], rule: RuleName) -> list[str]:
    """Return the layers below which there is no ReLU; refuse, before the search, if that is all.

    The rule is tried on one image.
    """
    model, image_1CHW = request.trained.model, request.inputs(1)
    plain = [u.layer for u in units if not count_ruled(model, u, image_1CHW, rule)]
    if len(plain) == len(units):
        raise UsageError(
            f"visualize {rule}: no ReLU lies between the pixels and {name_some(plain)}, so there "
            "is nothing for the rule to act on; use saliency, or a later --layer of a network with "
            "ReLU"
        )
    return plain


def _describe(request: Request, layer: LayerPatches, plain: Sequence[str]) -> Block:
    places, shown = layer.places, layer.shown
    strongest = [float(places.values_CP[channel, 0]) for channel in shown]
    last = {channel: max(layer.num_worth_showing(channel) - 1, 0) for channel in shown}
    weakest = [float(places.values_CP[channel, last[channel]]) for channel in shown]
    values = aligned([*strongest, *weakest])  # with equally many decimals
    columns = (
        [request.channel_name(layer.units, channel) for channel in shown],
        [percent(int(places.num_active_C[c]) / places.num_images) for c in shown],
        values[: len(shown)],
        values[len(shown) :],
        [_origins(request, layer, channel) for channel in shown],
    )
    return Block(
        heading=layer.heading(),
        lines=(
            _dead_words(layer),
            *(LATE_WORDS if _some_come_late(request, layer) else ()),
            *(PLAIN_WORDS if layer.units.layer in plain else ()),
        ),
        columns=(
            *numbers("channel", "positive on", "strongest", "weakest"),
            *texts("what its patches come from"),
        ),
        rows=tuple(zip(*columns, strict=True)),
    )


def _some_come_late(request: Request, layer: LayerPatches) -> bool:
    """Say whether the channels shown are not simply the strongest in their order."""
    strongest_C = layer.places.values_CP[:, 0].argsort(descending=True, stable=True)
    return not request.channels and layer.shown != strongest_C[: len(layer.shown)].tolist()


def _dead_words(layer: LayerPatches) -> str:
    dead, images = layer.dead_channels(), count_images(layer.places.num_images)
    if dead is None:
        return f"{layer.units.measured_at} is no ReLU: dead channels are not counted"
    if not dead:
        return f"no dead channels on {images}"
    more = " …" if len(dead) > MOST_DEAD_NAMED else ""
    names = ", ".join(map(str, dead[:MOST_DEAD_NAMED])) + more
    number = f"{len(dead)} of {layer.units.num_channels:,} channels"
    return f"{number} dead (never active) on {images}: {names}"


def _origins(request: Request, layer: LayerPatches, channel: int) -> str:
    """Count the classes of a channel's images, the most frequent first; unlabelled ones by name."""
    subjects = request.subjects
    images = layer.places.image_CP[channel, : layer.num_worth_showing(channel)].tolist()
    kinds = [
        subjects.names[i] if subjects.labels[i] == NO_LABEL else subjects.labels[i] for i in images
    ]
    common = Counter(kinds).most_common()
    words = [f"{kind} {number}" for kind, number in common[:MOST_KINDS_NAMED]]
    return ", ".join(words) + (" …" if len(common) > MOST_KINDS_NAMED else "")


def _document(request: Request, layer: LayerPatches) -> dict[str, Any]:
    units = layer.units
    return {
        "layer": units.layer,
        "measured_at": units.measured_at,
        "num_channels": units.num_channels,
        "map_size": list(units.map_size),
        "receptive_field_px": list(units.field.size_px),
        "num_images": layer.places.num_images,
        "dead_channels": layer.dead_channels(),
        "channels": [_channel_document(request, layer, channel) for channel in layer.shown],
    }


def _channel_document(request: Request, layer: LayerPatches, channel: int) -> dict[str, Any]:
    places, patches = layer.places, []
    for p, window in enumerate(layer.windows(channel)):
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
