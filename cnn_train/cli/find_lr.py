"""``cnn-train find-lr``: which learning rates a config can train with."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ..page import Block, Page, numbers, paragraph
from .console import notice, progress, warn
from .loading import build_untrained_session
from .options import (
    ConfigOption,
    DataDirOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    SetOption,
    number,
)
from .present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from ..checks.learning_rate_range import RateRange
    from ..figures.style import Drawing

NUM_ROWS = 13


def find_lr(
    config: ConfigOption,
    overrides: SetOption = None,
    smallest: Annotated[
        float, typer.Option("--from", parser=number(least=0), help="The first rate.")
    ] = 1e-5,
    largest: Annotated[
        float, typer.Option("--to", parser=number(least=0), help="The last rate.")
    ] = 10.0,
    updates: Annotated[
        int, typer.Option("--updates", min=20, help="Updates from the first to the last.")
    ] = 100,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Let the rate grow from update to update, and say where the loss falls and where it rises.

    Nothing is saved. What is suggested is a start, for optimizer.lr, and no optimum.
    """
    from ..checks.learning_rate_range import find_rate_range
    from ..machine.memory_shortage import memory_explained
    from ..training.fine_tuning import fill_in

    check_picture(out)
    overrides = [*(overrides or ()), "fine_tuning.head_first_epochs=0"]  # as in most epochs
    session = build_untrained_session(config, overrides, device, data_dir, offline)
    fill_in(session, None, new_head=False, offline=offline, notice=notice, warn=warn)
    where, batch_size = session.device.torch_device, session.config.batch_size
    with (
        memory_explained(where, batch_size, "--set batch_size"),
        progress(f"Training at {updates} rates", updates) as advance,
    ):
        found = find_rate_range(session, smallest, largest, updates, advance)
    page = Page(tuple(_describe(found)), asdict(found), lambda: _draw(found))
    present(page, as_json=as_json, out=out)


def _describe(found: "RateRange") -> Iterator[Block]:
    every = -(-len(found.rates) // NUM_ROWS)
    rows = list(zip(found.rates, found.losses, found.smoothed, strict=True))[::every]
    yield Block(
        f"{found.model} with {found.optimizer}: loss + λR(W) while the rate grows",
        columns=numbers("rate", "loss", "moving mean"),
        rows=tuple((f"{rate:.2g}", f"{loss:.4f}", f"{mean:.4f}") for rate, loss, mean in rows),
    )
    end = "" if found.diverged is None else f"; at {found.diverged:.2g} it had diverged"
    if found.suggested is None:
        yield paragraph(f"the loss never fell clearly{end}; try another range, or more --updates")
        return
    where = f"is lowest at {found.lowest:.2g} and rises above{end}"
    advice = "Rates between these two are worth a try"
    if found.lowest == found.rates[-1]:
        where, advice = "still falls at the last rate", "A larger --to shows where it rises"
    yield paragraph(
        f"suggested: --set optimizer.lr={found.suggested:.2g} (the config has {found.lr:g})",
        f"reason: there, half of the fall is done; the loss {where}. {advice}",
    )


def _draw(found: "RateRange") -> "Drawing":
    from ..figures.learning_rate_range import draw_rate_range

    marks = {} if found.suggested is None else {"suggested": found.suggested}
    marks |= {"lowest loss": found.lowest, "config": found.lr}
    title = f"Learning-rate range test: {found.model} with {found.optimizer}"
    return draw_rate_range(found.rates, found.losses, found.smoothed, marks, title)
