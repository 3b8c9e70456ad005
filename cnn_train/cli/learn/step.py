"""``cnn-train learn step``: one minibatch forward, backward, and the update."""

from collections.abc import Sequence
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
    from rich.table import Table

    from ...lecture.step import LayerSizes, TrainingStep


def step(
    config: ConfigOption,
    overrides: SetOption = None,
    entries: Annotated[
        int, typer.Option("--entries", min=1, help="Numbers whose update is written out.")
    ] = 5,
    every_layer: Annotated[
        bool, typer.Option("--every-layer", help="Also layers without weights.")
    ] = False,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Take one training step apart: F-pass, B-pass, update θ ← θ − η g."""
    from ...lecture.step import take_step
    from ..console import print_json
    from ..untrained_session import build_untrained_session

    check_picture(out)
    session = build_untrained_session(config, overrides, device, data_dir, offline)
    taken = take_step(session, entries)
    title = (
        f"{session.config.model.name}, {session.config.loss.name}: the first step, "
        f"on {taken.batch_size} images, in {session.precision.name}"
    )
    layers = [one for one in taken.layers if every_layer or one.weight_norm is not None]
    if as_json:
        print_json(taken.to_json())
    else:
        show_heading(title)
        _show_passes(taken, layers)
        _show_update(taken, session.config.optimizer.name)
        show_table(_times_table(taken))
    if out is not None:
        _save(title, taken, layers, out)


def _show_passes(taken: "TrainingStep", layers: "Sequence[LayerSizes]") -> None:
    show_text(
        f"\nF-pass: data loss {taken.loss:.4f} + λR(θ) {taken.penalty:.4f} = total "
        f"{taken.total:.4f}; {taken.num_correct} of {taken.batch_size} right"
    )
    table = make_table(
        "layer", "output", numbers=("RMS", "zeros", "RMS of\ndL/dout", "‖θ‖", "‖g‖", "‖Δθ‖/‖θ‖")
    )
    for one in layers:
        shape = "×".join(map(str, one.output_shape))
        sizes = (one.output_gradient_rms, one.weight_norm, one.gradient_norm, one.update_ratio)
        zeros = f"{100 * one.zeros:.0f} %"
        table.add_row(one.name, shape, _size(one.output_rms), zeros, *map(_size, sizes))
    show_table(table)
    show_text("\nB-pass: the columns from dL/dout on, computed from the last row to the first.")


def _show_update(taken: "TrainingStep", optimizer: str) -> None:
    from rich.markup import escape

    show_text(f"\nupdate: θ ← θ − η g, η = {taken.lr:g}, by {optimizer}")
    table = make_table("parameter", "entry", numbers=("θ", "g", "−η g", "θ after", "Δθ"))
    for one in taken.entries:
        place = f"[{','.join(map(str, one.index))}]"
        numbers = (one.before, one.gradient, one.descent, one.after, one.after - one.before)
        table.add_row(one.parameter, escape(place), *(f"{number:.4g}" for number in numbers))
    show_table(table)
    if taken.num_plain == taken.num_numbers:
        show_text(f"\nΔθ = −η g, to the last bit, for all {taken.num_numbers:,} numbers of θ.")
    else:
        others = taken.num_numbers - taken.num_plain
        show_text(
            f"\n{others:,} of {taken.num_numbers:,} numbers moved otherwise than by −η g: "
            f"this is not plain SGD, which is --set 'optimizer={{name: sgd, momentum: 0}}'."
        )


def _times_table(taken: "TrainingStep") -> "Table":
    from ...profile_step import PHASES

    table = make_table("phase", numbers=("ms",), last="what it does")
    for phase, seconds in taken.phase_seconds.items():
        table.add_row(phase, f"{1000 * seconds:.2f}", PHASES[phase])
    return table


def _save(title: str, taken: "TrainingStep", layers: "Sequence[LayerSizes]", out: Path) -> None:
    from ...figures.training_step import draw_training_step

    figure = draw_training_step(
        [one.name for one in layers],
        [one.output_rms for one in layers],
        [one.output_gradient_rms for one in layers],
        [one.update_ratio for one in layers],
        taken.phase_seconds,
        title,
    )
    save_picture(figure, out)


def _size(number: float | None) -> str:
    return "—" if number is None else f"{number:.2e}" if 0 < number < 0.01 else f"{number:.3g}"
