"""``cnn-train learn step``: one minibatch forward, backward, and the update."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ...page import Block, Page, count_images, numbers, paragraph, percent, texts, times
from ..completion import complete_configs, complete_runs
from ..console import progress, warn
from ..loading import build_session_at, build_untrained_session
from ..options import (
    DataDirOption,
    DataRootOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    SetOption,
)
from ..present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from ...figures.style import Drawing
    from ...lecture.layer_sizes import LayerSizes
    from ...lecture.step import TrainingStep
    from ...optim.optimizer import OptimizerConfig
    from ...training.session import Session


def step(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="The first step of a config.", autocompletion=complete_configs
        ),
    ] = None,
    overrides: SetOption = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            help="The next step of a run, from a checkpoint of it.",
            autocompletion=complete_runs,
        ),
    ] = None,
    entries: Annotated[
        int,
        typer.Option("--entries", min=1, max=1000, help="Numbers of θ to show, before and after."),
    ] = 5,
    every_layer: Annotated[
        bool, typer.Option("--every-layer", help="Show layers without weights too.")
    ] = False,
    device: DeviceOption = "auto",
    data_root: DataRootOption = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Take one training step apart: F-pass, B-pass, update θ ← θ − η g."""
    check_picture(out)
    if (config is None) == (checkpoint is None):
        raise UsageError("give --config, for a first step, or --checkpoint, for a later one")
    if checkpoint is not None:
        if overrides:
            raise UsageError("--set goes with --config; a checkpoint's run keeps its settings")
        session = build_session_at(checkpoint, device, data_dir, offline, data_root)
    else:
        assert config is not None
        session = build_untrained_session(config, overrides, device, data_dir, offline)
    taken = _take(session, entries)
    title = (
        f"{session.config.model.name}, {session.config.loss.name}: {_which(taken)}, "
        f"on {_images(session, taken)}, in {session.precision.name}"
    )
    layers = [layer for layer in taken.layers if every_layer or layer.weight_norm is not None]
    if taken.diverges:
        warn(f"no times: after this step, {taken.diverges}")
    page = Page(
        blocks=(
            Block(title),
            *_passes_blocks(taken, layers),
            *_update_blocks(taken, session.config.optimizer),
            *_times_blocks(taken),
        ),
        document=asdict(taken),
        draw=lambda: _draw(title, taken, layers),
    )
    present(page, as_json=as_json, out=out)


def _take(session: "Session", entries: int) -> "TrainingStep":
    """Take the step; show how far it is where it goes through all the images."""
    from ...lecture.step import take_step

    if not session.config.optimizer.full_batch:
        return take_step(session, entries)
    what = f"adding up the gradients of {len(session.batches.images):,} images"
    with progress(what, len(session.batches.plan(0))) as advance:
        return take_step(session, entries, advance)


def _which(taken: "TrainingStep") -> str:
    """Say which step it is; a run's steps and epochs count from 1."""
    if taken.step == 0:
        return "the first step"
    over = ", after the run's last" if taken.is_over else f" (epoch {taken.epoch + 1})"
    return f"step {taken.step + 1:,}{over}"


def _images(session: "Session", taken: "TrainingStep") -> str:
    """Say how many images made the step."""
    images = count_images(taken.batch_size)
    if session.config.optimizer.full_batch:
        images = f"all {images}"
    if taken.num_pieces > 1:
        images += f" ({taken.num_pieces:,} pieces of up to {session.config.batch_size:,})"
    return images


def _passes_blocks(taken: "TrainingStep", layers: "Sequence[LayerSizes]") -> Iterator[Block]:
    """Yield the loss, the sizes layer by layer, and what they should be."""
    from ...lecture.step import USUAL_RATIO

    yield paragraph(
        f"F-pass: data loss {taken.loss:.4f} + λR(θ) {taken.penalty:.4f} = total "
        f"{taken.total:.4f}; {taken.num_correct:,} of {taken.batch_size:,} right"
    )
    sizes = numbers("RMS", "zeros", "RMS of\ndL/dout", "‖θ‖", "‖g‖", "‖Δθ‖/‖θ‖")
    yield Block(
        columns=(*texts("layer", "output"), *sizes),
        rows=tuple(map(_layer_row, layers)),
        first_to_go=("output", "zeros"),
    )
    if taken.num_pieces > 1:
        line = f"Every row is of all {taken.batch_size:,} images."
        if any("BatchNorm" in layer.kind for layer in taken.layers):
            line += " Batch norm normalises each piece by itself."
        yield paragraph(line)
    yield paragraph(
        "B-pass: dL/dout and g = dL/dθ, computed from the last row to the first.",
        f"‖Δθ‖/‖θ‖: about {USUAL_RATIO:g} is usual; far more is a rate too large, far "
        "less one too small.",
    )


def _layer_row(layer: "LayerSizes") -> tuple[str, ...]:
    norms = (layer.weight_norm, layer.gradient_norm, layer.update_ratio)
    sizes = map(_size, (layer.output_gradient_rms, *norms))
    zeros = percent(layer.zeros, 0)
    return (layer.name, times(layer.output_shape), _size(layer.output_rms), zeros, *sizes)


def _update_blocks(taken: "TrainingStep", optimizer: "OptimizerConfig") -> Iterator[Block]:
    """Yield the optimizer's rule, some numbers before and after, and whether they obeyed −η g."""
    yield paragraph(*_rule_lines(taken, optimizer))
    g, keeps_v = _followed(taken), any(entry.velocity is not None for entry in taken.entries)
    rows = []
    for entry in taken.entries:
        place = f"[{','.join(map(str, entry.index))}]"
        change = entry.after - entry.before
        moved = [entry.velocity] * keeps_v
        values = (entry.before, entry.gradient, *moved, entry.descent, entry.after, change)
        rows.append(
            (entry.parameter, place, *("—" if x is None else f"{x + 0.0:.4g}" for x in values))
        )
    names = ("θ", "g", *["v before"] * keeps_v, f"−η {g}", "θ after", "Δθ")
    columns = (*texts("parameter", "entry"), *numbers(*names))
    yield Block(columns=columns, rows=tuple(rows), first_to_go=("θ after", "entry", f"−η {g}"))
    others = taken.num_numbers - taken.num_plain
    yield paragraph(
        f"{others:,} of {taken.num_numbers:,} numbers moved otherwise than by −η {g}: "
        "this is not plain SGD"
        + ("." if taken.step else "; with optimizer sgd, --set optimizer.momentum=0 makes it so.")
        if others
        else f"Δθ = −η {g}, to the last bit, for all {taken.num_numbers:,} numbers of θ."
    )


def _followed(taken: "TrainingStep") -> str:
    """Return how the gradient that the update follows is called."""
    return "g" if taken.clipped_norm is None else "g′"


def _rule_lines(taken: "TrainingStep", optimizer: "OptimizerConfig") -> Iterator[str]:
    """Yield what was done to the gradient, and the optimizer's formulas with their constants."""
    if taken.lr_factor != 1:
        when = "the last step" if taken.is_over else "this step"
        warm_up = ", which still warms up" if taken.warms_up else ""
        yield (
            f"η: optimizer.lr {optimizer.lr:g} × {taken.lr_factor:.4g}, the schedule's factor at "
            f"{when}{warm_up}"
        )
    if taken.clipped_norm is not None:
        yield (
            f"clip_grad_norm: g was shortened from ‖g‖ = {taken.gradient_norm:.4g} to "
            f"{taken.clipped_norm:.4g}: g′ = {taken.clipped_norm / taken.gradient_norm:.4g} g"
        )
    for rule in optimizer.update_rules():
        of = f" of {rule.applies_to}" if rule.applies_to else ""
        constants = {"η": rule.lr * taken.lr_factor} | rule.values
        values = ", ".join(f"{symbol} = {value:g}" for symbol, value in constants.items())
        names = f"; {rule.names}" if rule.names and not taken.step else ""
        yield f"update{of}: by {optimizer.name}, {values}{names}"
        for formula in rule.formulas:
            # The letter alone, as in g²; not one inside of a word.
            yield "    " + re.sub("(?<![a-z])g(?![a-z])", _followed(taken), formula)
    if optimizer.lr_factors:
        factors = ", ".join(f"{name} × {value:g}" for name, value in optimizer.lr_factors.items())
        yield f"lr_factors scale η: {factors}"


def _times_blocks(taken: "TrainingStep") -> Iterator[Block]:
    """Yield the time of every phase, if the step was timed."""
    from ...checks.profile import PHASES

    if not taken.phase_seconds:
        return
    if taken.num_pieces > 1:
        yield paragraph(
            f"Times of one piece, {count_images(taken.timed_images)}, and of the optimizer's "
            f"update, which comes once after all {taken.num_pieces:,} pieces:"
        )
    yield Block(
        columns=(*texts("phase"), *numbers("ms"), *texts("what it does")),
        rows=tuple(
            (phase, f"{1000 * seconds:.2f}", PHASES[phase])
            for phase, seconds in taken.phase_seconds.items()
        ),
    )


def _draw(title: str, taken: "TrainingStep", layers: "Sequence[LayerSizes]") -> "Drawing":
    from ...figures.training_step import draw_training_step
    from ...lecture.step import USUAL_RATIO

    in_pieces = taken.num_pieces > 1
    return draw_training_step(
        [layer.name for layer in layers],
        [layer.output_rms for layer in layers],
        [layer.output_gradient_rms for layer in layers],
        [layer.update_ratio for layer in layers],
        taken.phase_seconds,
        title,
        usual_ratio=USUAL_RATIO,
        timed="one piece" if in_pieces else "a step",
        milliseconds=f"ms, for {taken.timed_images:,} images and the update" if in_pieces else "ms",
    )


def _size(number: float | None) -> str:
    return "—" if number is None else f"{number:.2e}" if 0 < number < 0.01 else f"{number:.3g}"
