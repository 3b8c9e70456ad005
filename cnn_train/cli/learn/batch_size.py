"""``cnn-train learn batch-size``: how many images make a good gradient, and what they cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import (
    ConfigOption,
    DataDirOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    SetOption,
)
from .page import (
    PictureOption,
    check_picture,
    make_table,
    save_picture,
    show_heading,
    show_table,
    show_text,
)

if TYPE_CHECKING:
    from ...lecture.batch_size import BatchSizes


def batch_size(
    config: ConfigOption,
    overrides: SetOption = None,
    images: Annotated[
        int,
        typer.Option("--images", min=64, help="Training images to use; sizes up to half of them."),
    ] = 1024,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="Of training with each size.")
    ] = 4,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Minibatches of each size to compare.")
    ] = 8,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Compare minibatches of 32 to 256 and all images: gradient, noise, time, training."""
    from ...lecture.batch_size import compare_batch_sizes, sizes_below
    from ..console import print_json, progress
    from ..untrained_session import build_untrained_session

    check_picture(out)
    session = build_untrained_session(config, overrides, device, data_dir, offline)
    num_images = min(images, len(session.batches.images))
    num_sizes = len(sizes_below(num_images)) + 1
    with progress(f"training for {seconds:g} s with each size", num_sizes) as advance:
        found = compare_batch_sizes(session, num_images, seconds, draws, advance)
    title = f"{session.config.model.name}, {session.config.loss.name}"
    if as_json:
        print_json(found.to_json())
    else:
        _show(title, found)
    if out is not None:
        _save(title, found, out)


def _show(title: str, found: "BatchSizes") -> None:
    show_heading(
        f"{title}: θ ← θ − η g with η = {found.lr:g} on {found.num_images:,} images, not augmented"
    )
    table = make_table(
        numbers=(
            "images\nper g",
            "cosine",
            "noise",
            "noise of\none image",
            "ms per\nupdate",
            "images\nper s",
            "updates",
            "last\nloss",
        )
    )
    for one in found.sizes:
        gradient, curve = one.gradient, one.curve
        single = f"{gradient.noise_of_one:.3g}" if gradient.noise_of_one is not None else "—"
        table.add_row(
            str(one.batch_size or f"all {found.num_images:,}"),
            f"{gradient.cosine:.3f}",
            f"{gradient.noise:.3g}",
            single,
            f"{1000 * curve.seconds_per_update:,.1f}",
            f"{curve.num_images / curve.seconds:,.0f}",
            f"{curve.num_updates:,}",
            f"{curve.last_loss:.4f}",
        )
    show_table(table)
    _explain(found)


def _explain(found: "BatchSizes") -> None:
    draws = "of one draw" if found.num_draws == 1 else f"mean of {found.num_draws} draws"
    show_text(
        "\ncosine: between g_B and the gradient g of all images at the first weights, "
        f"{draws}.\nnoise: mean ‖g_B − g‖² / ‖g‖². It falls as 1/B: the noise of "
        "one image, B × noise × (N − 1)/(N − B), is the same for all sizes but for chance."
    )
    if found.has_batch_norm:
        show_text(
            "batch norm: each minibatch is normalised by itself, so that its gradient differs "
            "from that of all images by more than chance."
        )
    longest = max(one.curve.seconds for one in found.sizes)
    show_text(
        f"last loss: at the end of training with each size, after {longest:.1f} s at most. Each "
        f"begins with {found.sizes[0].curve.points[0].loss:.4f}, the loss of all images."
    )


def _save(title: str, found: "BatchSizes", out: Path) -> None:
    from ...figures.descent import draw_batch_sizes

    names = [str(one.batch_size or f"all {found.num_images:,}") for one in found.sizes]
    figure = draw_batch_sizes(
        sizes=[one.batch_size or found.num_images for one in found.sizes],
        cosines=[one.gradient.cosine for one in found.sizes],
        noises=[one.gradient.noise for one in found.sizes[:-1]],
        law=found.law,
        milliseconds=[1000 * one.curve.seconds_per_update for one in found.sizes],
        losses={
            name: [(point.seconds, point.loss) for point in one.curve.points]
            for name, one in zip(names, found.sizes, strict=True)
        },
        title=f"{title}: how many images make a gradient",
    )
    save_picture(figure, out)
