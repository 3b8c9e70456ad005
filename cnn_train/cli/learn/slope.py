"""``cnn-train learn slope``: the tangent of a curve; of several inputs, the steepest direction."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UsageError
from ...page import Block, Page, digits, numbers, paragraph, texts
from ..loading import build_untrained_session
from ..options import DataDirOption, DeviceOption, JsonOption, OfflineOption, SetOption
from ..present import PictureOption, check_picture, present
from .page import (
    AtOption,
    ExprOption,
    StepOption,
    check_step,
    function_name,
    read_one_function,
    write_point,
)
from .secants import secant_page

if TYPE_CHECKING:
    from ...figures.style import Drawing
    from ...lecture.formulas.graph import Graph
    from ...lecture.formulas.kinks import Kink
    from ...lecture.slope import Slopes
    from ...training.session import Session

SMALLEST_STEP = 1e-12


def slope(
    expression: ExprOption = None,
    at: AtOption = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML config: its minibatch loss, not a formula."),
    ] = None,
    overrides: SetOption = None,
    directions: Annotated[
        int | None,
        typer.Option("--directions", min=0, help="Random ones, besides fixed angles. Default: 8."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random directions.")] = 0,
    h: StepOption = 1e-5,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Follow secants to the tangent; with several inputs, measure the slope in many directions."""
    from ...random_streams import make_generator

    check_picture(out)
    check_step(h, SMALLEST_STEP)
    generator = make_generator(seed, "directions")
    num_random = 8 if directions is None else directions
    sampling = {"num_random": num_random, "generator": generator, "h": h}
    if config is None:
        if overrides:
            raise UsageError("--set goes with --config")
        text, graph, point = read_one_function(expression, at, "slope")
        if len(point) == 1:
            if directions is not None:
                raise UsageError("--directions: one input has two, to the left and to the right")
            return present(secant_page(text, graph, point[0], h), as_json=as_json, out=out)
        what, slopes, kinks = _along_formula(text, graph, point, **sampling)
    elif expression is not None or at is not None:
        raise UsageError("--config measures the loss of a minibatch; leave out --expr and --at")
    else:
        session = build_untrained_session(config, overrides, device, data_dir, offline)
        what, slopes, kinks = _along_loss(session, **sampling)
    facts = (
        f"value {digits(slopes.value)}, inputs: {slopes.num_parameters:,}, "
        f"‖∇f‖ = {digits(slopes.gradient_norm)}, h = {slopes.h:g}"
    )
    page = Page(
        blocks=(
            Block(what, lines=(facts,)),
            _slopes_block(slopes),
            paragraph(_conclusion(slopes, kinks)),
        ),
        document={
            "function": what,
            **asdict(slopes),
            "largest_difference": slopes.largest_difference,
            "kinks": [asdict(kink) for kink in kinks],
        },
        draw=lambda: _draw(what, slopes, has_kink=bool(kinks)),
    )
    return present(page, as_json=as_json, out=out)


def _along_formula(
    text: str, graph: "Graph", point: Sequence[float], **sampling: Any
) -> tuple[str, "Slopes", "tuple[Kink, ...]"]:
    """Measure a formula's slopes; its gradient comes from reverse mode."""
    import torch

    from ...lecture.formulas.kinks import describe_kinks, kinks_at
    from ...lecture.formulas.numerical import beside
    from ...lecture.formulas.reverse_mode import reverse_jacobian
    from ...lecture.slope import measure_slopes, numeric_slope, one_sided_slope

    (output,) = graph.outputs
    gradient, kinks = reverse_jacobian(graph, point)[0], kinks_at(graph, point)
    if kinks and not any(gradient):
        raise UsageError(
            f"{describe_kinks(kinks)}; the gradient that is chosen there is 0 and has no "
            "direction; choose another point"
        )
    value = beside(lambda moved: graph.evaluate(moved)[output])
    slopes = measure_slopes(
        lambda point_P: value(point_P.tolist()),
        torch.tensor(gradient, dtype=torch.float64),
        torch.tensor(point, dtype=torch.float64),
        rule=one_sided_slope if kinks else numeric_slope,
        **sampling,
    )
    where = write_point(graph.input_names, point)
    return f"{function_name(graph)} = {text} at {where}", slopes, kinks


def _along_loss(session: "Session", **sampling: Any) -> tuple[str, "Slopes", "tuple[Kink, ...]"]:
    """Measure the slopes of a minibatch's loss; its gradient comes from torch's backward pass."""
    from ...lecture.minibatch_loss import MinibatchLoss
    from ...lecture.slope import measure_slopes

    loss = MinibatchLoss(session)
    slopes = measure_slopes(loss, loss.gradient(), loss.point(), **sampling)
    config = session.config
    num_images = len(next(session.batches.epoch(0)).labels_B)
    what = f"{config.loss.name} + λR(W) of {config.model.name}, {num_images} images"
    return what, slopes, ()


def _slopes_block(slopes: "Slopes") -> Block:
    rows, ends = [], []
    names = {0.0: "along ∇f", 180.0: "along -∇f"}
    for i, d in enumerate(slopes.directions):
        angle = round(d.angle_degrees, 3)
        name = "random" if d.is_random else names.get(angle, "turned away from ∇f")
        rows.append((name, f"{d.angle_degrees:.2f}°", digits(d.numeric), digits(d.dot)))
        if not d.is_random and angle in names:
            ends.append(i)
    columns = (*texts("direction d"), *numbers("angle to ∇f", "measured slope", "∇f·d"))
    return Block(columns=columns, rows=tuple(rows), row_styles=dict.fromkeys(ends, "bold"))


def _conclusion(slopes: "Slopes", kinks: "Sequence[Kink]") -> str:
    """Say what the table shows, and no more than that."""
    from ...lecture.formulas.kinks import describe_kinks

    difference = f"{slopes.largest_difference:.1e} of ‖∇f‖"
    if kinks:
        return (
            f"{describe_kinks(kinks)}. ∇f adds up what is chosen at each kink, and does not give "
            "the slope in every direction: the measured ones, (f(x + h·d) - f(x)) / h, and ∇f·d "
            f"differ by up to {difference}."
        )
    if not slopes.agree:
        return (
            f"Measured slopes and ∇f·d differ by up to {difference}: these steps do not show the "
            f"slopes at this point. With h = {slopes.h:g} the function bends too much or has a "
            "kink on the way, or rounding is larger than the difference; choose another --h."
        )
    return (
        "The steepest way up is along ∇f, the steepest way down along -∇f. Measured slopes and "
        f"∇f·d differ by at most {difference}."
    )


def _draw(what: str, slopes: "Slopes", *, has_kink: bool) -> "Drawing":
    from ...figures.slopes import draw_slopes

    turned = [(d.angle_degrees, d.numeric) for d in slopes.directions if not d.is_random]
    random = [(d.angle_degrees, d.numeric) for d in slopes.directions if d.is_random]
    note = "a kink here: the slopes are not those that ∇f predicts" if has_kink else ""
    return draw_slopes(slopes.gradient_norm, turned, random, f"Slopes of {what}", note)
