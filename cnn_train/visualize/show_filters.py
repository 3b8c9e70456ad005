"""The filters of the first layer, or the templates of a linear classifier.

Shape letters: K filters, C colours, H W pixels of a filter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UsageError
from ..figures.gallery import Section, Tile, draw_gallery
from ..figures.style import Drawing
from ..models.summary import LayerRun
from ..page import Block, Page, aligned, numbers, texts
from .pictures import picture, signed_picture
from .request import Request

NUM_FILTERS = 64
NUM_ROWS = 10


@dataclass(frozen=True)
class Filters:
    """The filters of ``layer``, KCHW with the image's colours; ``are_templates``: one per class."""

    layer: str
    weights_KCHW: Tensor
    are_templates: bool


def show_filters(request: Request) -> Page:
    """Show the weights of the layer that reads the pixels; all are listed in the document."""
    filters = first_filters(request.runs, request.trained.image_shape)
    if request.layers not in ((), (filters.layer,)):
        raise UsageError(
            f"--layer {', '.join(request.layers)}: only {filters.layer} reads pixels; for other "
            "layers use visualize top-patches"
        )
    norm_K = filters.weights_KCHW.flatten(1).norm(dim=1)
    default = len(norm_K) if filters.are_templates else NUM_FILTERS
    shown = request.choose_channels(norm_K, default)
    if not request.channels:
        shown = sorted(shown)
    names = list(request.trained.class_names)
    if not filters.are_templates:
        names = [str(number) for number in range(len(norm_K))]
    return Page(
        blocks=(_describe(filters, names, shown, norm_K),),
        document={
            "layer": filters.layer,
            "are_templates": filters.are_templates,
            "filters": [
                {"channel": k, "name": names[k], "norm": float(norm_K[k]),
                 "weights": filters.weights_KCHW[k].tolist()}
                for k in shown
            ],
        },
        draw=lambda: _draw(request, filters, names, shown),
    )  # fmt: skip


def _describe(filters: Filters, names: list[str], shown: list[int], norm_K: Tensor) -> Block:
    number, _, height, width = filters.weights_KCHW.shape
    kind = "templates, one per class" if filters.are_templates else "filters"
    rows = sorted(shown, key=lambda k: -float(norm_K[k]))[:NUM_ROWS]
    if filters.are_templates:
        rows = shown
    columns = (
        [names[k] for k in rows],
        aligned([float(norm_K[k]) for k in rows]),
        aligned([float(filters.weights_KCHW[k].max()) for k in rows]),
        aligned([float(filters.weights_KCHW[k].min()) for k in rows]),
    )
    return Block(
        heading=f"{filters.layer}: {number} {kind}, {width} × {height} px",
        lines=(f"the {len(rows)} largest of {number}",) if len(rows) < number else (),
        columns=(
            *(texts("class") if filters.are_templates else numbers("filter")),
            *numbers("size ‖w‖", "largest weight", "smallest"),
        ),
        rows=tuple(zip(*columns, strict=True)),
    )


def _draw(request: Request, filters: Filters, names: list[str], shown: list[int]) -> Drawing:
    tiles = []
    for k in shown:
        weights_CHW = filters.weights_KCHW[k]
        scale = float(weights_CHW.abs().max()) or 1.0
        tiles.append(Tile(names[k], [picture(signed_picture(weights_CHW, scale))]))
    heading = f"{len(shown)} of {len(names)}, each on its own scale: grey is zero"
    section = Section(heading, tiles, num_columns=5 if filters.are_templates else 8)
    kind = "Templates" if filters.are_templates else "Filters"
    title = f"{kind} of {request.trained.config.model.name}, {filters.layer}"
    return draw_gallery([section], title)


def first_filters(runs: Sequence[LayerRun], image_shape: tuple[int, int, int]) -> Filters:
    """Return the weights of the first layer that has them, as pictures of its input pixels.

    Where it reads blocks of pixels that were turned into channels, they are turned back. Raises
    UsageError where the weights do not belong to pixels.
    """
    run = next(run for run in runs if isinstance(run.module, nn.Conv2d | nn.Linear))
    if not isinstance(run.module.weight, nn.Parameter):
        raise UsageError(
            f"visualize filters: {run.name} reads the pixels, and its weights are fixed by hand: "
            "no filter is learned there"
        )
    weights = run.module.weight.detach().cpu().float()
    if isinstance(run.module, nn.Linear):
        if run.module.in_features != math.prod(image_shape):
            raise UsageError(f"visualize filters: {run.name} does not read the image's pixels")
        return Filters(run.name, weights.view(-1, *image_shape), run is runs[-1])
    for earlier in runs[: runs.index(run)]:
        if isinstance(earlier.module, nn.PixelUnshuffle):
            weights = F.pixel_shuffle(weights, earlier.module.downscale_factor)
    if weights.shape[1] != image_shape[0]:
        raise UsageError(f"visualize filters: {run.name} does not read the image's colours")
    return Filters(run.name, weights, False)
