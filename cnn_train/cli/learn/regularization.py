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
    from ...lecture.regularization import Strength, ToyResult

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
    from ...figures.regularization import Plane, draw_regularization
    from ...lecture.regularization import (
        GRID_REACH,
        LR,
        NUM_UPDATES,
        STRENGTH,
        compare_strengths,
        learn_points,
        pull,
    )  # fmt: skip
    from ...losses.regularization import L1Config, L2Config

    check_picture(out)
    if config is None and overrides:
        raise UsageError("--set goes with --config")
    strengths: list[Strength] = []
    if config is not None:
        session = build_untrained_session(config, overrides, device, data_dir, offline)
        with progress(f"training for {seconds:g} s with each λ", 3) as advance:
            strengths = compare_strengths(session, images, seconds, advance)
    ways = {
        "L2": pull(L2Config(strength=STRENGTH), 1.0, LR, NUM_UPDATES),
        "L1": pull(L1Config(strength=STRENGTH), 1.0, LR, NUM_UPDATES),
    }
    train, test, toys = learn_points()
    page = Page(
        blocks=(
            Block(TITLE), *_weight_blocks(ways, LR, STRENGTH), *_toy_blocks(toys),
            *_strength_blocks(strengths),
        ),
        document={
            "one_weight": {"lr": LR, "strength": STRENGTH, **ways},
            "points": [_facts(toy) for toy in toys],
            "config": [_facts(one) for one in strengths],
        },
        draw=lambda: draw_regularization(
            ways,
            [
                Plane(f"{toy.name}: test {percent(toy.test_accuracy)}", toy.surface_GG,
                      toy.weights.values_P)
                for toy in toys
            ],
            GRID_REACH,
            (train.points_N2, train.labels_N),
            (test.points_N2, test.labels_N),
            {f"your config, λ = {one.strength:g}": one.weights.values_P for one in strengths},
            TITLE,
        ),
    )  # fmt: skip
    present(page, as_json=as_json, out=out)


def _facts(result: "ToyResult | Strength") -> dict[str, object]:
    """Return a result's numbers, without its thousands of weights."""
    weights = {"sum_of_squares": result.weights.sum_of_squares}
    weights["near_zero"] = result.weights.near_zero
    left_out = ("weights", "surface_GG")
    return {name: x for name, x in vars(result).items() if name not in left_out} | weights


def _weight_blocks(ways: dict[str, list[float]], lr: float, strength: float) -> tuple[Block, ...]:
    rows = tuple((str(i), *(f"{round(ways[name][i], 4) + 0.0:.4f}" for name in ways)) for i in ROWS)
    return (
        paragraph(
            f"One weight that only the penalty pulls at, with η = {lr:g} and λ = {strength:g}:",
            f"L2: w ← (1 − 2ηλ) w, by {percent(2 * lr * strength)} each time: ever smaller, "
            "never 0.",
            f"L1: w ← w − ηλ sign(w), by {lr * strength:g} each time: 0 after 1/ηλ = "
            f"{1 / (lr * strength):.0f} updates, where it stays but for steps of ηλ to and fro.",
        ),
        Block(columns=numbers("updates", *ways), rows=rows),
    )


def _toy_blocks(toys: "Sequence[ToyResult]") -> tuple[Block, ...]:
    from ...lecture.regularization import NEAR_ZERO, TOY_HIDDEN, TOY_STRENGTHS

    strengths = {"none": "", **{name: f" λ = {value:g}" for name, value in TOY_STRENGTHS.items()}}
    rows = tuple(
        (toy.name + strengths[toy.name], percent(toy.train_accuracy), percent(toy.test_accuracy),
         f"{toy.weights.sum_of_squares:.4g}", percent(toy.weights.near_zero))
        for toy in toys
    )  # fmt: skip
    columns = numbers("training", "test", "ΣW²", "near 0")
    note = f"near 0: weights below {NEAR_ZERO:g} of the largest. --out FILE.png draws all of it."
    heading = f"60 noisy points of a plane, a network of {TOY_HIDDEN} units"
    return (Block(heading, columns=(*texts("penalty"), *columns), rows=rows, notes=(note,)),)


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
