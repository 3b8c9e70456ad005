"""``cnn-train learn descent``: the full sum against minibatches."""

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
    from ...lecture.descent import Race
    from ...lecture.timed_training import Curve


def descent(
    config: ConfigOption,
    overrides: SetOption = None,
    images: Annotated[int, typer.Option("--images", min=2, help="Training images to use.")] = 1024,
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="Of training, each way.")] = 5,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Race vanilla gradient descent against minibatch SGD: loss by updates and by seconds."""
    from ...lecture.descent import race
    from ..console import notice, print_json
    from ..untrained_session import build_untrained_session

    check_picture(out)
    session = build_untrained_session(config, overrides, device, data_dir, offline)
    notice(f"training for {seconds:g} s each way …")
    found = race(session, images, seconds)
    title = f"{session.config.model.name}, {session.config.loss.name}"
    if as_json:
        print_json(found.to_json())
    else:
        _show(title, found)
    if out is not None:
        _save(title, found, out)


def _show(title: str, found: "Race") -> None:
    show_heading(
        f"{title}: θ ← θ − η g with η = {found.lr:g} on {found.num_images:,} images, not augmented"
    )
    table = make_table(
        "gradient of", numbers=("updates", "ms each", "first loss", "last loss", "seconds")
    )
    for name, curve in _named(found).items():
        table.add_row(
            name,
            f"{curve.num_updates:,}",
            f"{1000 * curve.seconds_per_update:,.1f}",
            f"{curve.points[0].loss:.4f}",
            f"{curve.last_loss:.4f}",
            f"{curve.seconds:.1f}",
        )
    show_table(table)
    show_text(
        "\nfirst loss: of all images, at the weights from which both begin. After it: of the "
        "images as they come by, before the update that they make; neighbours are averaged. "
        "--out FILE.png draws it by updates and by seconds."
    )


def _named(found: "Race") -> "dict[str, Curve]":
    return {
        f"all {found.num_images:,} images": found.vanilla,
        f"minibatches of {found.minibatch.batch_size:,}": found.minibatch,
    }


def _save(title: str, found: "Race", out: Path) -> None:
    from ...figures.descent import draw_descent

    curves = _named(found)
    by_updates = {n: [(p.updates, p.loss) for p in c.points] for n, c in curves.items()}
    by_seconds = {n: [(p.seconds, p.loss) for p in c.points] for n, c in curves.items()}
    save_picture(
        draw_descent(by_updates, by_seconds, f"{title}: vanilla and minibatch descent"), out
    )
