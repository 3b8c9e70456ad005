"""``cnn-train learn descent``: the full sum against minibatches."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ...page import Block, Page, numbers, paragraph, texts
from ..console import notice
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
) -> None:
    """Race vanilla gradient descent against minibatch SGD: loss by updates and by seconds."""
    from ...lecture.descent import race

    check_picture(out)
    session = build_untrained_session(config, overrides, device, data_dir, offline)
    notice(f"training for {seconds:g} s each way …")
    result = race(session, images, seconds)
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
            paragraph(
                "First and last loss: of all images; ±: the last one's standard deviation from one "
                "update to the next. --out FILE.png draws the losses between, of the images as "
                "they come by, neighbours averaged, by updates and by seconds."
            ),
        ),
        document=asdict(result),
        draw=lambda: _draw(f"{title}: vanilla and minibatch descent", curves),
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


def _draw(title: str, curves: "dict[str, Curve]") -> "Drawing":
    from ...figures.descent import draw_descent

    by_updates = {n: [(p.updates, p.loss) for p in c.points] for n, c in curves.items()}
    by_seconds = {n: [(p.seconds, p.loss) for p in c.points] for n, c in curves.items()}
    return draw_descent(by_updates, by_seconds, title)
