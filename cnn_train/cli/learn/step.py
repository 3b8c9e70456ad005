"""``cnn-train learn step``: one minibatch forward, backward, and the update."""

import re
from collections.abc import Iterator, Sequence
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
    from ...lecture.layer_sizes import LayerSizes
    from ...lecture.step import TrainingStep
    from ...optim.optimizer import OptimizerConfig
    from ...training.session import Session


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
    from ..console import print_json, warn
    from ..untrained_session import build_untrained_session

    check_picture(out)
    session = build_untrained_session(config, overrides, device, data_dir, offline)
    taken = _take(session, entries)
    title = (
        f"{session.config.model.name}, {session.config.loss.name}: the first step, "
        f"on {_images(session, taken)}, in {session.precision.name}"
    )
    layers = [one for one in taken.layers if every_layer or one.weight_norm is not None]
    if as_json:
        print_json(taken.to_json())
    else:
        show_heading(title)
        _show_passes(taken, layers)
        _show_update(taken, session.config.optimizer)
        _show_times(taken)
    if taken.diverges:
        warn(f"no times: after this step, {taken.diverges}")
    if out is not None:
        _save(title, taken, layers, out)


def _take(session: "Session", entries: int) -> "TrainingStep":
    """Take the step; show how it comes along where that is an epoch."""
    from ...lecture.step import take_step
    from ..console import progress

    if not session.config.optimizer.full_batch:
        return take_step(session, entries)
    what = f"adding up the gradients of {len(session.batches.images):,} images"
    with progress(what, len(session.batches.plan)) as advance:
        return take_step(session, entries, advance)


def _images(session: "Session", taken: "TrainingStep") -> str:
    """Say how many images made the step."""
    if taken.num_pieces > 1:
        size = session.config.batch_size
        return f"all {taken.batch_size:,} images ({taken.num_pieces:,} pieces of up to {size:,})"
    images = f"{taken.batch_size:,} image{'s' if taken.batch_size > 1 else ''}"
    return f"all {images}" if session.config.optimizer.full_batch else images


def _show_passes(taken: "TrainingStep", layers: "Sequence[LayerSizes]") -> None:
    from ...lecture.step import USUAL_RATIO

    show_text(
        f"\nF-pass: data loss {taken.loss:.4f} + λR(θ) {taken.penalty:.4f} = total "
        f"{taken.total:.4f}; {taken.num_correct:,} of {taken.batch_size:,} right"
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
    if taken.num_pieces > 1:
        show_text(f"\nEvery row is of all {taken.batch_size:,} images.{_normalised(taken)}")
    show_text(
        "\nB-pass: dL/dout and g = dL/dθ, computed from the last row to the first."
        f"\n‖Δθ‖/‖θ‖: about {USUAL_RATIO:g} is usual; far more is a rate too large, far "
        "less one too small."
    )


def _normalised(taken: "TrainingStep") -> str:
    has_batch_norm = any("BatchNorm" in one.kind for one in taken.layers)
    return " Batch norm normalises each piece by itself." if has_batch_norm else ""


def _show_update(taken: "TrainingStep", optimizer: "OptimizerConfig") -> None:
    from rich.markup import escape

    show_text()
    for line in _rule_lines(taken, optimizer):
        show_text(line)
    g = _followed(taken)
    table = make_table("parameter", "entry", numbers=("θ", "g", f"−η {g}", "θ after", "Δθ"))
    for column in table.columns[2:]:
        column.no_wrap = True  # half a number would be read as a number
    for one in taken.entries:
        place = f"[{','.join(map(str, one.index))}]"
        numbers = (one.before, one.gradient, one.descent, one.after, one.after - one.before)
        table.add_row(one.parameter, escape(place), *(f"{number + 0.0:.4g}" for number in numbers))
    show_table(table)
    if taken.num_plain == taken.num_numbers:
        show_text(f"\nΔθ = −η {g}, to the last bit, for all {taken.num_numbers:,} numbers of θ.")
    else:
        others = taken.num_numbers - taken.num_plain
        show_text(
            f"\n{others:,} of {taken.num_numbers:,} numbers moved otherwise than by −η {g}: "
            f"this is not plain SGD, which is --set 'optimizer={{name: sgd, momentum: 0}}'."
        )


def _followed(taken: "TrainingStep") -> str:
    """Return how the gradient that the update follows is called."""
    return "g" if taken.clipped_norm is None else "g′"


def _rule_lines(taken: "TrainingStep", optimizer: "OptimizerConfig") -> Iterator[str]:
    """Yield what was done to the gradient, and the optimizer's formulas with their constants."""
    if taken.clipped_norm is not None:
        yield (
            f"clip_grad_norm: g was shortened from ‖g‖ = {taken.gradient_norm:.4g} to "
            f"{taken.clipped_norm:.4g}: g′ = {taken.clipped_norm / taken.gradient_norm:.4g} g"
        )
    for rule in optimizer.update_rules():
        of = f" of {rule.applies_to}" if rule.applies_to else ""
        constants = {"η": rule.lr * taken.lr_factor} | rule.values
        values = ", ".join(f"{symbol} = {value:g}" for symbol, value in constants.items())
        names = f"; {rule.names}" if rule.names else ""
        yield f"update{of}: by {optimizer.name}, {values}{names}"
        for formula in rule.formulas:
            # The letter alone, as in g²; not one inside of a word.
            yield "    " + re.sub("(?<![a-z])g(?![a-z])", _followed(taken), formula)
    if optimizer.lr_factors:
        factors = ", ".join(f"{name} × {value:g}" for name, value in optimizer.lr_factors.items())
        yield f"lr_factors scale η: {factors}"


def _show_times(taken: "TrainingStep") -> None:
    from ...checks.profile import PHASES

    if not taken.phase_seconds:
        return
    if taken.num_pieces > 1:
        show_text(
            f"\nTimes of one piece, {taken.timed_images:,} images, and of the optimizer's update, "
            f"which comes once after all {taken.num_pieces:,} pieces:"
        )
    table = make_table("phase", numbers=("ms",), last="what it does")
    for phase, seconds in taken.phase_seconds.items():
        table.add_row(phase, f"{1000 * seconds:.2f}", PHASES[phase])
    show_table(table)


def _save(title: str, taken: "TrainingStep", layers: "Sequence[LayerSizes]", out: Path) -> None:
    from ...figures.training_step import draw_training_step
    from ...lecture.step import USUAL_RATIO

    if taken.num_pieces > 1:
        timed = ("one piece", f"ms, for {taken.timed_images:,} images and the update")
    else:
        timed = ("a step", "ms")
    figure = draw_training_step(
        [one.name for one in layers],
        [one.output_rms for one in layers],
        [one.output_gradient_rms for one in layers],
        [one.update_ratio for one in layers],
        taken.phase_seconds,
        title,
        usual_ratio=USUAL_RATIO,
        timed=timed[0],
        milliseconds=timed[1],
    )
    save_picture(figure, out)


def _size(number: float | None) -> str:
    return "—" if number is None else f"{number:.2e}" if 0 < number < 0.01 else f"{number:.3g}"
