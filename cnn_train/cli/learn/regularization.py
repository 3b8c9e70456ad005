"""``cnn-train learn regularization``: what λR(W) does to weights, and to what is learned."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ...page import Block, Page, numbers, paragraph, percent, texts
from ..completion import complete_configs
from ..console import progress
from ..loading import build_untrained_session
from ..options import (
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
    from ...lecture.regularization import Strength, Weights
    from ...playground.experiment import Experiment

TITLE = "λR(W): L2 is λΣW², L1 is λΣ|W|"
ROWS = (0, 10, 50, 100, 150)
"""Updates after which the one weight is shown."""


def regularization(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="Train it with three λ, too.", autocompletion=complete_configs
        ),
    ] = None,
    overrides: SetOption = None,
    images: Annotated[int, typer.Option("--images", min=2, help="Training images to use.")] = 1024,
    seconds: SecondsOption = 4,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Show what λR(W) does alone: to a weight, to all weights, to a decision, to your config."""
    from ...lecture.regularization import (
        LR,
        STRENGTH,
        Weights,
        compare_strengths,
        learn_points,
        pull,
    )
    from ...losses.regularization import L1Config, L2Config

    check_picture(out)
    if config is None and overrides:
        raise UsageError("--set goes with --config")
    strengths: list[Strength] = []
    if config is not None:
        session = build_untrained_session(config, overrides, device, data_dir, offline)
        with progress(f"training for {seconds:g} s with each λ", 3) as advance:
            strengths = compare_strengths(session, images, seconds, advance)
    ways = {"L2": pull(L2Config(strength=STRENGTH)), "L1": pull(L1Config(strength=STRENGTH))}
    learned = learn_points()
    rows = {name: vars(e.measure()) | _facts(Weights.of(e.network)) for name, e in learned.items()}
    page = Page(
        blocks=(
            Block(TITLE), *_weight_blocks(ways), _toy_block(rows), *_strength_blocks(strengths),
        ),
        document={
            "one_weight": {"lr": LR, "strength": STRENGTH, **ways},
            "points": [{"name": name, **row} for name, row in rows.items()],
            "config": [vars(one) | {"weights": _facts(one.weights)} for one in strengths],
        },
        draw=lambda: _draw(ways, learned, strengths),
    )  # fmt: skip
    present(page, as_json=as_json, out=out)


def _facts(weights: "Weights") -> dict[str, float]:
    """Return what is said of weights, without the thousands of them."""
    return {"sum_of_squares": weights.sum_of_squares, "near_zero": weights.near_zero}


def _draw(
    ways: dict[str, list[float]], learned: "dict[str, Experiment]", strengths: "Sequence[Strength]"
) -> "Drawing":
    from ...figures.regularization import Plane, draw_regularization
    from ...lecture.regularization import Weights
    from ...playground.view import SURFACE_SIDE, VIEW_REACH, surface

    planes = [
        Plane(f"{name}: test {percent(e.measure().test_accuracy)}", surface(e, SURFACE_SIDE),
              Weights.of(e.network).values_P)
        for name, e in learned.items()
    ]  # fmt: skip
    train, test = learned["none"].train, learned["none"].test
    return draw_regularization(
        ways,
        planes,
        VIEW_REACH,
        (train.points_N2, train.labels_N),
        (test.points_N2, test.labels_N),
        {f"your config, λ = {one.strength:g}": one.weights.values_P for one in strengths},
        TITLE,
    )


def _weight_blocks(ways: dict[str, list[float]]) -> tuple[Block, ...]:
    from ...lecture.regularization import LR, STRENGTH

    rows = tuple((str(i), *(f"{round(ways[name][i], 4) + 0.0:.4f}" for name in ways)) for i in ROWS)
    return (
        paragraph(
            f"One weight that only the penalty pulls at, with η = {LR:g} and λ = {STRENGTH:g}:",
            f"L2: w ← (1 − 2ηλ) w, by {percent(2 * LR * STRENGTH)} each time: ever smaller, "
            "never 0.",
            f"L1: w ← w − ηλ sign(w), by {LR * STRENGTH:g} each time: 0 after 1/ηλ = "
            f"{1 / (LR * STRENGTH):.0f} updates, where it stays but for steps of ηλ to and fro.",
        ),
        Block(columns=numbers("updates", *ways), rows=rows),
    )


def _toy_block(results: dict[str, dict[str, float]]) -> Block:
    from ...lecture.regularization import NEAR_ZERO, TOY

    rows = tuple(
        (name, percent(one["train_accuracy"]), percent(one["test_accuracy"]),
         f"{one['sum_of_squares']:.4g}", percent(one["near_zero"]))
        for name, one in results.items()
    )  # fmt: skip
    return Block(
        f"{TOY.batch_size} noisy points of a plane, {len(TOY.hidden)} hidden layers of "
        f"{TOY.hidden[0]} units, λ = {TOY.strength:g}",
        columns=(*texts("penalty"), *numbers("training", "test", "ΣW²", "near 0")),
        rows=rows,
        notes=(
            f"near 0: weights below {NEAR_ZERO:g} of the largest. --out FILE.png draws it all.",
        ),
    )


def _strength_blocks(strengths: "Sequence[Strength]") -> tuple[Block, ...]:
    if not strengths:
        return ()
    rows = tuple(
        (f"{one.strength:g}", f"{one.num_updates:,}", f"{one.seconds:.1f}", f"{one.loss:.4f}",
         percent(one.val_accuracy), f"{one.weights.sum_of_squares:.4g}",
         percent(one.weights.near_zero))
        for one in strengths
    )  # fmt: skip
    names = ("λ", "updates", "seconds", "data loss", "validation", "ΣW²", "near 0")
    note = "From the same weights, by θ ← θ − η g. A short training: who wins may change later."
    heading = "Your config without λR(W), with its λ, and with 100 times it"
    return (Block(heading, columns=numbers(*names), rows=rows, notes=(note,)),)
