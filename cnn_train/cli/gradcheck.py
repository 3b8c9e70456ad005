"""``cnn-train gradcheck``: is the backward pass the slope of the loss?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CheckFailedError, name_some
from ..page import Block, Page, numbers, texts, times
from .console import notice, progress, warn
from .loading import build_untrained_session
from .options import ConfigOption, DataDirOption, DeviceOption, JsonOption, OfflineOption, SetOption
from .present import present

if TYPE_CHECKING:
    from ..checks.slopes import Slope, TensorCheck


def gradcheck(
    config: ConfigOption,
    overrides: SetOption = None,
    layers: Annotated[
        list[str] | None,
        typer.Option("--layer", help="Only this layer, as `models show` names it; repeatable."),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            "--samples", min=1, help="Entries of each tensor, the steepest and drawn ones."
        ),
    ] = 3,
    images: Annotated[
        int, typer.Option("--images", min=1, help="Images of the first minibatch that are used.")
    ] = 4,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the backward pass with differences of the loss in float64; exit 1 if it is wrong."""
    from ..checks.gradcheck import check_session, drowned_by_penalty, select_layers
    from ..checks.slopes import TOLERANCE

    session = build_untrained_session(config, overrides, device, data_dir, offline)
    chosen = tuple(layers or ())
    num_tensors = len(select_layers(session.model, chosen))
    checks = []
    with progress("checking gradients", num_tensors) as advance:
        for check in check_session(session, layers=chosen, samples=samples, num_images=images):
            checks.append(check)
            advance(1)
    drowned = drowned_by_penalty(session, chosen, images)
    model, loss = session.config.model.name, session.config.loss.name
    document = {
        "model": model,
        "loss": loss,
        "tolerance": TOLERANCE,
        "passed": all(check.passed for check in checks),
        "drowned_by_penalty": drowned,
        "tensors": [check.to_json() for check in checks],
    }
    what = f"{model}, {loss}, regularisation {session.config.regularization.kind}"
    present(Page((_list_tensors(what, checks),), document), as_json=as_json)
    if drowned:
        warn(
            f"in {name_some(drowned)} the gradient of λR(W) drowns that of the data, whose faults "
            "would not show; check with a smaller regularization.strength"
        )
    _judge(checks, samples)


def _list_tensors(what: str, checks: "Sequence[TensorCheck]") -> Block:
    """Make a row per tensor; those that are wrong stand out."""
    num_slopes = sum(len(check.slopes) for check in checks)
    return Block(
        heading=f"{what}: {num_slopes} slopes, float64",
        columns=(
            *texts("parameter", "shape"),
            *numbers("largest error"),
            *texts("at"),
            *numbers("all entries"),
            *texts("kinks"),
        ),
        rows=tuple(map(_row, checks)),
        first_to_go=("shape", "at", "all entries"),
        row_styles={i: "bold red" for i, check in enumerate(checks) if not check.passed},
    )


def _row(check: "TensorCheck") -> tuple[str, ...]:
    from ..checks.slopes import worst_of

    worst = worst_of(check.entries)
    return (
        check.name,
        times(check.shape) or "scalar",
        _error(worst),
        _place(worst) if worst else "",
        _error(worst_of([check.direction])),
        _kinks(check),
    )


def _error(slope: "Slope | None") -> str:
    return f"{slope.error:.1e}" if slope else "not judged"


def _place(slope: "Slope") -> str:
    return f"[{', '.join(map(str, slope.index))}]" if slope.index else ""


def _kinks(check: "TensorCheck") -> str:
    """Say how many slopes had a kink too close to be judged, and of which kinds."""
    kinds = list(dict.fromkeys(kind for slope in check.slopes for kind in slope.kinks))
    if not kinds:
        return "—"
    return f"{len(check.slopes) - len(check.judged)} of {len(check.slopes)}: {', '.join(kinds)}"


def _judge(checks: "Sequence[TensorCheck]", samples: int) -> None:
    """Say on stderr that all is well, or raise CheckFailedError."""
    from ..checks.slopes import TOLERANCE

    if not all(check.passed for check in checks):
        raise CheckFailedError(_blame(checks))
    unjudged = [check.name for check in checks if not check.judged]
    if unjudged:
        warn(f"too close to kinks to be judged: {name_some(unjudged)}; try more --samples")
    partly = [check.name for check in checks if check.direction.kinks and check.judged]
    if partly:
        warn(f"kinks lie in every direction drawn through {name_some(partly)}: only entries agree")
    error = max((check.worst.error for check in checks if check.worst), default=0.0)
    num_along = sum(not check.direction.kinks for check in checks)
    along = f", {num_along} of them" if partly or unjudged else ""
    notice(
        f"{len(checks) - len(unjudged)} of {len(checks)} tensors agree with the slope of the loss, "
        f"each in up to {samples} of its entries and{along} along one direction through all of "
        f"them; largest relative error {error:.1e}, tolerance {TOLERANCE:.0e}"
    )


def _blame(checks: "Sequence[TensorCheck]") -> str:
    """Name the wrong tensors, the worst of their slopes (entries come first), and the place."""
    from ..checks.gradcheck import suspects

    wrong = [check for check in checks if not check.passed]
    slopes = [(check, slope) for check in wrong for slope in check.slopes if not slope.passed]
    worst, slope = max(slopes, key=lambda pair: (pair[1].index is not None, pair[1].error))
    where = f"{worst.name}{_place(slope)} has slope {slope.numeric:.6g}"
    if slope.index is None:
        where = f"along a drawn direction {worst.name} has slope {slope.numeric:.6g}"
    layer, after = suspects(checks)
    end = f"{after}, the next layer that agrees" if after else "the loss"
    return (
        f"the backward pass is wrong in {len(wrong)} of {len(checks)} tensors "
        f"({name_some([check.name for check in wrong])}): {where}, the backward pass says "
        f"{slope.backward:.6g}; the fault lies in {layer} or between it and {end}"
    )
