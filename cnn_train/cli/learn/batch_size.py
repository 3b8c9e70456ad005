"""``cnn-train learn batch-size``: how many images make a good gradient, and what they cost."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ...page import Block, Page, numbers, paragraph
from ..console import progress
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
    from ...lecture.batch_size import BatchSizes, SizeResult


def batch_size(
    config: ConfigOption,
    overrides: SetOption = None,
    images: Annotated[
        int,
        typer.Option("--images", min=64, help="Training images; minibatches hold half at most."),
    ] = 1024,
    seconds: SecondsOption = 4,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Minibatches of each size, for the mean.")
    ] = 8,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Compare minibatches of 32 to 256 and all images: gradient, noise, time, training."""
    from ...lecture.batch_size import compare_batch_sizes, sizes_below

    check_picture(out)
    session = build_untrained_session(config, overrides, device, data_dir, offline)
    num_images = min(images, len(session.batches.images))
    num_sizes = len(sizes_below(num_images)) + 1
    with progress(f"training for {seconds:g} s with each size", num_sizes) as advance:
        result = compare_batch_sizes(session, num_images, seconds, draws, advance)
    title = f"{session.config.model.name}, {session.config.loss.name}"
    rule = f"θ ← θ − η g with η = {result.lr:g} on {num_images:,} images, not augmented"
    page = Page(
        blocks=(Block(f"{title}: {rule}"), _sizes_block(result), paragraph(*_notes(result))),
        document=asdict(result),
        draw=lambda: _draw(f"{title}: how many images make a gradient", result),
    )
    present(page, as_json=as_json, out=out)


def _sizes_block(result: "BatchSizes") -> Block:
    return Block(
        columns=numbers(
            "images\nper g",
            "cosine",
            "noise",
            "noise of\none image",
            "ms per\nupdate",
            "images\nper s",
            "updates",
            "last loss\nof all",
        ),
        rows=tuple(
            (
                _name(size, result),
                f"{size.gradient.cosine:.3f}",
                f"{size.gradient.noise:.3g}",
                "—" if size.gradient.noise_of_one is None else f"{size.gradient.noise_of_one:.3g}",
                f"{1000 * size.curve.seconds_per_update:,.1f}",
                f"{size.curve.num_images / size.curve.seconds:,.0f}",
                f"{size.curve.num_updates:,}",
                f"{size.curve.last_loss:.4f} ± {size.curve.last_spread:.4f}",
            )
            for size in result.sizes
        ),
    )


def _name(size: "SizeResult", result: "BatchSizes") -> str:
    return str(size.batch_size or f"all {result.num_images:,}")


def _notes(result: "BatchSizes") -> tuple[str, ...]:
    """Say what the columns are."""
    draws = "of one draw" if result.num_draws == 1 else f"mean of {result.num_draws} draws"
    notes = [
        f"cosine: between g_B and the gradient g of all images at the first weights, {draws}.",
        "noise: mean ‖g_B − g‖² / ‖g‖². It falls as 1/B: the noise of one image, "
        "B × noise × (N − 1)/(N − B), is the same for all sizes but for chance.",
    ]
    if result.has_batch_norm:
        notes.append(
            "batch norm: each minibatch is normalised by itself, so that its gradient differs "
            "from that of all images by more than chance."
        )
    longest = max(size.curve.seconds for size in result.sizes)
    notes.append(
        f"last loss: of all images after {longest:.1f} s of training at most, ± its standard "
        "deviation from one update to the next: smaller gaps between sizes say nothing. Each "
        f"begins with {result.sizes[0].curve.points[0].loss:.4f}."
    )
    return tuple(notes)


def _draw(title: str, result: "BatchSizes") -> "Drawing":
    from ...figures.descent import draw_batch_sizes

    sizes = result.sizes
    return draw_batch_sizes(
        sizes=[size.batch_size or result.num_images for size in sizes],
        cosines=[size.gradient.cosine for size in sizes],
        noises=[size.gradient.noise for size in sizes[:-1]],
        law=result.law,
        milliseconds=[1000 * size.curve.seconds_per_update for size in sizes],
        losses={
            _name(size, result): [(point.seconds, point.loss) for point in size.curve.points]
            for size in sizes
        },
        title=title,
    )
