"""``cnn-train learn descent``: the full sum against minibatches."""

from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...page import Block, Page, numbers, paragraph, percent, texts
from ..console import notice, progress
from ..loading import build_untrained_session
from ..options import (
    ConfigOption,
    DataDirOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    SecondsOption,
    SetOption,
)
from ..present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from ...figures.style import Drawing
    from ...lecture.descent import Race
    from ...lecture.descent_map import DescentMap
    from ...lecture.timed_training import Curve


def descent(
    config: ConfigOption,
    overrides: SetOption = None,
    images: Annotated[int, typer.Option("--images", min=2, help="Training images to use.")] = 1024,
    seconds: SecondsOption = 5,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
    surface: Annotated[
        bool,
        typer.Option("--surface", help="Draw both ways over the loss: a map of 17 × 17 points."),
    ] = False,
) -> None:
    """Race vanilla gradient descent against minibatch SGD: loss by updates and by seconds."""
    from ...lecture.descent import race

    check_picture(out)
    session = build_untrained_session(config, overrides, device, data_dir, offline)
    notice(f"training for {seconds:g} s each way …")
    result = race(session, images, seconds, progress if surface else None)
    title = f"{session.config.model.name}, {session.config.loss.name}"
    num_images = f"{result.num_images:,} images"
    curves = {
        f"all {num_images}": result.vanilla,
        f"minibatches of {result.minibatch.batch_size:,}": result.minibatch,
    }
    page = Page(
        blocks=(
            Block(f"{title}: θ ← θ − η g with η = {result.lr:g} on {num_images}, not augmented"),
            _curves_block(curves),
            *_surface_words(result.surface),
            paragraph(
                "First and last loss: of all images; ±: the last one's standard deviation from one "
                "update to the next. --out FILE.png draws the losses between, of the images as "
                "they come by, neighbours averaged, by updates and by seconds."
            ),
        ),
        document=_document(result),
        draw=lambda: _draw(f"{title}: vanilla and minibatch descent", curves, result.surface),
    )
    present(page, as_json=as_json, out=out)


def _curves_block(curves: "dict[str, Curve]") -> Block:
    columns = numbers("updates", "ms each", "first loss", "last loss", "seconds")
    return Block(
        columns=(*texts("gradient of"), *columns),
        rows=tuple(
            (
                name,
                f"{curve.num_updates:,}",
                f"{1000 * curve.seconds_per_update:,.1f}",
                f"{curve.points[0].loss:.4f}",
                f"{curve.last_loss:.4f} ± {curve.last_spread:.4f}",
                f"{curve.seconds:.1f}",
            )
            for name, curve in curves.items()
        ),
    )


def _surface_words(surface: "DescentMap | None") -> tuple[Block, ...]:
    if surface is None:
        return ()
    return (
        paragraph(
            f"The map's plane holds {percent(surface.share)} of the squared distances of "
            f"{sum(map(len, surface.ways.values()))} states from their mean."
        ),
    )


def _document(result: "Race") -> dict[str, Any]:
    """Return the race, with None in place of losses of the map that are not finite."""
    document = asdict(result)
    if result.surface:
        losses = [[x if isfinite(x) else None for x in row] for row in result.surface.losses]
        document["surface"] |= {"losses": losses}
    return document


def _draw(title: str, curves: "dict[str, Curve]", surface: "DescentMap | None") -> "Drawing":
    from ...figures.descent import draw_descent
    from ...figures.loss_surface import draw_ways

    by_updates = {n: [(p.updates, p.loss) for p in c.points] for n, c in curves.items()}
    by_seconds = {n: [(p.seconds, p.loss) for p in c.points] for n, c in curves.items()}
    if surface is None:
        return draw_descent(by_updates, by_seconds, title)
    losses, ways = surface.losses, surface.ways.values()
    return draw_descent(
        by_updates, by_seconds, title, lambda axes: draw_ways(axes, surface.distances, losses, ways)
    )
