"""``cnn-train learn slope``: the slope in every direction, and which is the steepest."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UsageError
from ..options import DataDirOption, DeviceOption, JsonOption, OfflineOption, SetOption
from .page import AtOption, ExprOption, PictureOption

if TYPE_CHECKING:
    from ...lecture.formulas.kinks import Kink
    from ...lecture.slope import SlopeRule, Slopes
    from ...training.session import Session

SMALLEST_STEP = 1e-12


def slope(
    expression: ExprOption = None,
    at: AtOption = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Instead of a formula: the loss of a minibatch."),
    ] = None,
    overrides: SetOption = None,
    directions: Annotated[
        int, typer.Option("--directions", min=0, help="Random directions, besides the turned ones.")
    ] = 8,
    seed: Annotated[int, typer.Option("--seed", help="Of the random directions.")] = 0,
    h: Annotated[float, typer.Option("--h", help="Step of the measured slopes.")] = 1e-5,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Measure the slope in many directions: none is steeper than the gradient's."""
    from dataclasses import asdict

    from ..console import print_json
    from ..untrained_session import build_untrained_session
    from .page import check_picture, check_step

    check_picture(out)
    check_step(h, SMALLEST_STEP)
    sampling = {"num_random": directions, "seed": seed, "h": h}
    if config is None:
        if overrides:
            raise UsageError("--set goes with --config")
        what, slopes, kinks = _along_formula(expression, at, **sampling)
    elif expression is not None or at is not None:
        raise UsageError("--config measures the loss of a minibatch; leave out --expr and --at")
    else:
        session = build_untrained_session(config, overrides, device, data_dir, offline)
        what, slopes = _along_loss(session, **sampling)
        kinks = ()
    if as_json:
        differences = {"largest_difference": slopes.largest_difference}
        sides = {"kinks": [asdict(one) for one in kinks]}
        print_json({"function": what} | asdict(slopes) | differences | sides)
    else:
        _show(what, slopes, kinks)
    if out is not None:
        _save(what, slopes, kinks, out)


def _along_formula(
    expression: "Sequence[str] | None", at: str | None, **sampling: Any
) -> tuple[str, "Slopes", "tuple[Kink, ...]"]:
    """Measure a formula's slopes; its gradient comes from reverse mode."""
    import torch

    from ...lecture.formulas.kinks import describe_kinks, kinks_at
    from ...lecture.formulas.numerical import beside
    from ...lecture.formulas.reverse_mode import reverse_jacobian
    from ...lecture.slope import numeric_slope, one_sided_slope
    from .page import function_name, read_function, require_one, write_point

    texts, graph, point = read_function(require_one(expression, "slope"), at)
    (output,) = graph.outputs
    where = write_point(graph.input_names, point)
    gradient, kinks = reverse_jacobian(graph, point)[0], kinks_at(graph, point)
    if kinks and not any(gradient):
        raise UsageError(
            f"{describe_kinks(kinks)}; the gradient that is chosen there is 0 and has no "
            "direction; choose another point"
        )
    value = beside(lambda moved: graph.evaluate(moved)[output])
    slopes = _measure(
        lambda point_P: value(point_P.tolist()),
        torch.tensor(gradient, dtype=torch.float64),
        torch.tensor(point, dtype=torch.float64),
        rule=one_sided_slope if kinks else numeric_slope,
        **sampling,
    )
    return f"{function_name(graph)} = {texts[0]} at {where}", slopes, kinks


def _along_loss(session: "Session", **sampling: Any) -> tuple[str, "Slopes"]:
    """Measure the slopes of a minibatch's loss; its gradient comes from torch's backward pass."""
    from ...lecture.minibatch_loss import MinibatchLoss

    loss = MinibatchLoss(session)
    slopes = _measure(loss, loss.gradient(), loss.point(), **sampling)
    config = session.config
    what = f"{config.loss.name} + λR(W) of {config.model.name}, {len(loss.labels_B)} images"
    return what, slopes


def _measure(
    value: Any,
    gradient_P: Any,
    point_P: Any,
    *,
    num_random: int,
    seed: int,
    h: float,
    rule: "SlopeRule | None" = None,
) -> "Slopes":
    from ...lecture.slope import measure_slopes
    from ...random_streams import make_generator

    generator = make_generator(seed, "directions")
    return measure_slopes(
        value, gradient_P, point_P, num_random=num_random, generator=generator, h=h, rule=rule
    )


def _show(what: str, slopes: "Slopes", kinks: "Sequence[Kink]") -> None:
    from .page import digits, make_table, show_heading, show_table, show_text

    show_heading(what)
    show_text(
        f"value {digits(slopes.value)}, inputs: {slopes.num_parameters:,}, "
        f"‖∇f‖ = {digits(slopes.gradient_norm)}, h = {slopes.h:g}"
    )
    table = make_table("direction d", numbers=("angle to ∇f", "measured slope", "∇f·d"))
    names = {0.0: "along ∇f", 180.0: "along -∇f"}
    for one in slopes.directions:
        turned = names.get(round(one.angle_degrees, 3), "turned away from ∇f")
        row = (f"{one.angle_degrees:.2f}°", digits(one.numeric), digits(one.dot))
        is_end = not one.is_random and round(one.angle_degrees, 3) in names
        table.add_row("random" if one.is_random else turned, *row, style="bold" if is_end else "")
    show_table(table)
    show_text(f"\n{_conclusion(slopes, kinks)}")


def _conclusion(slopes: "Slopes", kinks: "Sequence[Kink]") -> str:
    """Say what the table shows, and no more than that."""
    from ...lecture.formulas.kinks import describe_kinks

    difference = f"{slopes.largest_difference:.1e} of ‖∇f‖"
    if kinks:
        return (
            f"{describe_kinks(kinks)}. ∇f adds up what is chosen at each kink, and does not tell "
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


def _save(what: str, slopes: "Slopes", kinks: "Sequence[Kink]", out: Path) -> None:
    from ...figures.slopes import draw_slopes
    from .page import save_picture

    def points(*, is_random: bool) -> list[tuple[float, float]]:
        return [
            (one.angle_degrees, one.numeric)
            for one in slopes.directions
            if one.is_random == is_random
        ]

    turned, random = points(is_random=False), points(is_random=True)
    note = "a kink here: the slopes are not those that ∇f foretells" if kinks else ""
    title = f"Slopes of {what}"
    save_picture(draw_slopes(slopes.gradient_norm, turned, random, title, note), out)
