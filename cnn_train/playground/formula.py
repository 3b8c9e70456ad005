"""The learning rule with the numbers of the current step, for one weight that the user chose.

The lines are the same in the terminal and in the page: written here, shown there.
"""

from dataclasses import dataclass

from .experiment import Experiment, Update
from .network import FEATURE_SIGNS
from .settings import PlaygroundSettings
from .toy_sets import CLASS_NAMES

LOSS_FORMULAS = {
    "cross_entropy": "Lᵢ = −log(exp(s_y) / Σⱼ exp(s_j))",
    "hinge": "Lᵢ = Σ_{j≠y} max(0, s_j − s_y + 1)",
}
CODE = "weights += -step_size * weights_grad"
MOMENTUM_CODE = "velocity = momentum * velocity + weights_grad; weights += -step_size * velocity"
"""The learning rule as the lecture writes it."""

PENALTY_FORMULAS = {"none": "", "l1": " + λ Σ|W|", "l2": " + λ ΣW²"}
PULL_FORMULAS = {"none": "", "l1": " + λ sign(w)", "l2": " + 2λw"}


@dataclass(frozen=True)
class Place:
    """Which parameter: of linear layer ``layer``, from ``source`` to ``unit``; no source: a bias.

    All count from 0.
    """

    layer: int = 0
    unit: int = 0
    source: int | None = 0


@dataclass(frozen=True)
class FormulaLine:
    """One line of the learning rule: what it is, in symbols, in this step's numbers."""

    name: str
    symbols: str
    numbers: str


@dataclass(frozen=True)
class WeightStep:
    """One parameter in one step, in numbers: after = before − η · velocity."""

    before: float
    gradient: float
    pull: float
    velocity_before: float
    velocity: float
    after: float


def all_places(experiment: Experiment) -> list[Place]:
    """List every weight and bias, unit by unit."""
    return [
        Place(number, unit, source)
        for number, layer in enumerate(experiment.network.linear_layers)
        for unit in range(layer.out_features)
        for source in (*range(layer.in_features), None)
    ]


def name_place(place: Place, settings: PlaygroundSettings) -> str:
    """Name a parameter: ``hidden 1, neuron 3 ← x₁``, ``score of blue, bias``."""
    last = place.layer == len(settings.hidden)
    unit = (
        f"score of {CLASS_NAMES[place.unit]}"
        if last
        else f"hidden {place.layer + 1}, neuron {place.unit + 1}"
    )
    if place.source is None:
        return f"{unit}, bias"
    if place.layer == 0:
        return f"{unit} ← {FEATURE_SIGNS[settings.features[place.source]]}"
    return f"{unit} ← neuron {place.source + 1}"


def weight_step(experiment: Experiment, place: Place) -> WeightStep | None:
    """Take one parameter's numbers from the last step; None before the first."""
    if experiment.update is None:
        return None
    layer = experiment.network.linear_layers[place.layer]
    parameter = layer.bias if place.source is None else layer.weight
    index = (place.unit,) if place.source is None else (place.unit, place.source)
    return WeightStep(*(float(values[index]) for values in experiment.update.changes[parameter]))


def write_formula(experiment: Experiment, place: Place) -> list[FormulaLine]:
    """Write loss, gradient and update of one parameter; before the first step without numbers."""
    settings, step = experiment.settings, weight_step(experiment, place)
    is_bias = place.source is None
    sign = "b" if is_bias else "w"
    lines = [
        _loss_line(settings, experiment.update),
        _gradient_line("none" if is_bias else settings.regularization, sign, step),
    ]
    if settings.momentum:
        lines.append(_velocity_line(settings, step))
    return [*lines, _update_line(settings, sign, step)]


def _loss_line(settings: PlaygroundSettings, update: Update | None) -> FormulaLine:
    symbols = "L = 1/B Σ Lᵢ" + PENALTY_FORMULAS[settings.regularization]
    numbers = ""
    if update is not None:
        numbers = show(update.loss)
        if settings.regularization != "none":
            total = update.loss + update.penalty
            numbers = f"{show(total)} = {numbers} + {show(update.penalty)}"
    return FormulaLine("loss", symbols, numbers)


def _gradient_line(kind: str, sign: str, step: WeightStep | None) -> FormulaLine:
    """Split the gradient into what the data ask for and what λR(W) does; biases pay no price."""
    symbols = f"g = ∂L/∂{sign}" if kind == "none" else f"g = ∂L_data/∂w{PULL_FORMULAS[kind]}"
    numbers = ""
    if step is not None:
        numbers = show(step.gradient)
        if kind != "none":
            numbers += f" = {show(step.gradient - step.pull)} {signed(step.pull)}"
    return FormulaLine("gradient", symbols, numbers)


def _velocity_line(settings: PlaygroundSettings, step: WeightStep | None) -> FormulaLine:
    numbers = ""
    if step is not None:
        kept = f"{settings.momentum:g} · {bracket(step.velocity_before)}"
        numbers = f"{show(step.velocity)} ← {kept} {signed(step.gradient)}"
    return FormulaLine("velocity", "v ← μ · v + g", numbers)


def _update_line(settings: PlaygroundSettings, sign: str, step: WeightStep | None) -> FormulaLine:
    slope = "v" if settings.momentum else "g"
    numbers = ""
    if step is not None:
        change = f"{settings.learning_rate:g} · {bracket(step.velocity)}"
        numbers = f"{show(step.after)} ← {show(step.before)} − {change}"
    return FormulaLine("update", f"{sign} ← {sign} − η · {slope}", numbers)


def show(value: float) -> str:
    """Write six decimals, or a power of ten where they would say too little."""
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3e}".replace("-", "−")
    return f"{value:.6f}".replace("-", "−")


def signed(value: float) -> str:
    """Write the number as a term of a sum: ``+ 0.5`` or ``− 0.5``."""
    return f"− {show(-value)}" if value < 0 else f"+ {show(value)}"


def bracket(value: float) -> str:
    """Write the number as a factor: brackets around what is negative."""
    return f"({show(value)})" if value < 0 else show(value)
