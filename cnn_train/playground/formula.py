"""The learning rule with the numbers of the current step, for one weight that the user chose.

The terminal and the page show the same lines.
"""

from dataclasses import dataclass

from .experiment import Change, Experiment
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
    unit = f"hidden {place.layer + 1}, neuron {place.unit + 1}"
    if place.layer == len(settings.hidden):
        unit = f"score of {CLASS_NAMES[place.unit]}"
    if place.source is None:
        return f"{unit}, bias"
    if place.layer == 0:
        return f"{unit} ← {FEATURE_SIGNS[settings.features[place.source]]}"
    return f"{unit} ← neuron {place.source + 1}"


def weight_step(experiment: Experiment, place: Place) -> Change[float] | None:
    """Take one parameter's numbers from the last step; None before the first."""
    if experiment.update is None:
        return None
    layer = experiment.network.linear_layers[place.layer]
    parameter = layer.bias if place.source is None else layer.weight
    index = (place.unit,) if place.source is None else (place.unit, place.source)
    return Change(*(float(values[index]) for values in experiment.update.changes[parameter]))


def write_formula(experiment: Experiment, place: Place) -> list[FormulaLine]:
    """Write loss, gradient and update of one parameter; before the first step without numbers.

    The gradient is the part of the data and the part of λR(W), which biases do not have.
    """
    settings, step = experiment.settings, weight_step(experiment, place)
    kind = "none" if place.source is None else settings.regularization
    sign, pull = "b" if place.source is None else "w", PULL_FORMULAS[kind]
    symbols = {
        "loss": "L = 1/B Σ Lᵢ" + PENALTY_FORMULAS[settings.regularization],
        "gradient": f"g = ∂L_data/∂w{pull}" if pull else f"g = ∂L/∂{sign}",
        **({"velocity": "v ← μ · v + g"} if settings.momentum else {}),
        "update": f"{sign} ← {sign} − η · {'v' if settings.momentum else 'g'}",
    }
    numbers = _numbers(experiment, kind, step) if step else {}
    return [FormulaLine(name, text, numbers.get(name, "")) for name, text in symbols.items()]


def _numbers(experiment: Experiment, kind: str, step: Change[float]) -> dict[str, str]:
    """Write the last step's numbers of each line; ``kind``: of the regularisation here."""
    settings, update = experiment.settings, experiment.update
    assert update is not None
    loss, gradient = show(update.loss), show(step.gradient)
    if settings.regularization != "none":
        loss = f"{show(update.loss + update.penalty)} = {loss} + {show(update.penalty)}"
    if kind != "none":
        gradient += f" = {show(step.gradient - step.pull)} {signed(step.pull)}"
    kept = f"{settings.momentum:g} · {bracket(step.velocity_before)}"
    change = f"{settings.learning_rate:g} · {bracket(step.velocity)}"
    return {
        "loss": loss,
        "gradient": gradient,
        "velocity": f"{show(step.velocity)} ← {kept} {signed(step.gradient)}",
        "update": f"{show(step.after)} ← {show(step.before)} − {change}",
    }


def show(value: float) -> str:
    """Write six decimals, or a power of ten if the number is very large or small."""
    is_plain = value == 0 or 1e-4 <= abs(value) < 1e6
    return (f"{value:.6f}" if is_plain else f"{value:.3e}").replace("-", "−")


def signed(value: float) -> str:
    """Write the number as a term of a sum: ``+ 0.5`` or ``− 0.5``."""
    return f"− {show(-value)}" if value < 0 else f"+ {show(value)}"


def bracket(value: float) -> str:
    """Write the number as a factor, with brackets if it is negative."""
    return f"({show(value)})" if value < 0 else show(value)
