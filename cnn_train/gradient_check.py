"""Is the backward pass right? Compare it with the slope of the loss itself, weight by weight.

    dL/dθ_i ≈ (L(θ + h e_i) − L(θ − h e_i)) / 2h        error: h²/6 · L''' and, from rounding, ε L/h

In float64 both errors are far below what a wrong sign, a factor of 2 or a forgotten term makes.
Where the two points lie on different sides of a kink, the difference is no slope: the step is made
smaller, and where that does not help the entry is reported and judged by nobody.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .errors import UsageError, name_some, single_values_explained
from .kinks import KinkWatch, Pattern, kinks_between
from .reproducibility import derive_seed, make_generator
from .session import Session

STEPS = (1e-6, 1e-7, 1e-8)
"""Step widths h; a smaller one is taken where a larger one crosses a kink."""

TOLERANCE = 1e-5
"""Largest relative error of a right gradient. The mistakes that people make are of order 1."""

ROUNDING = 64 * torch.finfo(torch.float64).eps
"""How far two float64 losses may differ by rounding alone, relative to the loss."""

IN_THE_LOSS = {"ReLU": "hinge margin", "|x|": "|W|"}
"""What a kink of the loss is called, where it lies behind the network."""


@dataclass(frozen=True)
class Objective:
    """A loss in two steps, so that a kink can be told by its place: the scores, then the total."""

    scores: Callable[[], Tensor]
    loss: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Entry:
    """One entry of a tensor: its slope by backpropagation and by differences.

    kinks: what lies between the two points of the last, smallest step; then nothing is judged.
    """

    index: tuple[int, ...]
    backward: float
    numeric: float
    error: float
    h: float
    kinks: tuple[str, ...]


@dataclass(frozen=True)
class TensorCheck:
    """The entries looked at in one parameter tensor."""

    name: str
    shape: tuple[int, ...]
    entries: tuple[Entry, ...]

    @property
    def judged(self) -> tuple[Entry, ...]:
        """The entries between whose points no kink lies."""
        return tuple(entry for entry in self.entries if not entry.kinks)

    @property
    def worst(self) -> Entry | None:
        """The entry with the largest relative error, of those that are judged."""
        return max(self.judged, key=lambda entry: entry.error, default=None)

    @property
    def passed(self) -> bool:
        """Whether no judged entry is off by more than TOLERANCE."""
        return all(entry.error <= TOLERANCE for entry in self.judged)

    def to_json(self) -> dict[str, Any]:
        """Return the tensor's part of the document that ``gradcheck --json`` prints."""
        return {
            "name": self.name,
            "shape": self.shape,
            "passed": self.passed,
            "largest_error": _finite(self.worst.error) if self.worst else None,
            "entries": [
                {key: _finite(value) for key, value in asdict(entry).items()}
                for entry in self.entries
            ],
        }


def _finite(value: Any) -> Any:
    """Return None for what JSON has no number for."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_gradient(
    objective: Objective,
    parameters: Mapping[str, Tensor],
    *,
    samples: int,
    generator: torch.Generator,
) -> Iterator[TensorCheck]:
    """Yield the check of each parameter (float64): its steepest entry and some drawn ones.

    ``objective`` must be a function of the parameters: the same numbers give the same loss. A
    parameter that the backward pass leaves out counts as having the gradient 0. Weights are moved
    while it runs and are back, to the bit, whenever it yields.
    """
    assert all(tensor.dtype == torch.float64 for tensor in parameters.values())
    total = objective.loss(objective.scores())
    found = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    for (name, tensor), gradient in zip(parameters.items(), found, strict=True):
        gradient = torch.zeros_like(tensor) if gradient is None else gradient
        indices = choose_entries(gradient, samples, generator)
        entries = [check_entry(objective, tensor, gradient, index) for index in indices]
        yield TensorCheck(name, tuple(tensor.shape), tuple(entries))


def choose_entries(
    gradient: Tensor, samples: int, generator: torch.Generator
) -> list[tuple[int, ...]]:
    """Return up to ``samples`` different entries, the one with the steepest slope first."""
    drawn = torch.randint(gradient.numel(), (samples,), generator=generator)
    flat = dict.fromkeys([int(gradient.abs().flatten().argmax()), *drawn.tolist()])
    places = (torch.unravel_index(torch.tensor(i), gradient.shape) for i in list(flat)[:samples])
    return [tuple(int(axis) for axis in place) for place in places]


def check_entry(
    objective: Objective, tensor: Tensor, gradient: Tensor, index: tuple[int, ...]
) -> Entry:
    """Compare one slope, with the largest step that crosses no kink."""
    backward = float(gradient[index])
    for h in STEPS:
        numeric, size, kinks = difference(objective, tensor, index, h)
        if not kinks:
            break
    rounding = ROUNDING * max(size, 1.0) / h
    error = relative_error(backward, numeric, rounding / TOLERANCE)
    return Entry(index, backward, numeric, error, h, tuple(kinks))


def relative_error(backward: float, numeric: float, floor: float) -> float:
    """Return |a − n| / max(|a|, |n|, floor): 0 if equal, 1 for a lost gradient, 2 for a wrong sign.

    ``floor`` keeps what rounding alone makes of a slope near 0 below the tolerance. Infinite where
    a slope is not finite.
    """
    if not (math.isfinite(backward) and math.isfinite(numeric)):
        return math.inf
    return abs(backward - numeric) / max(abs(backward), abs(numeric), floor)


@torch.no_grad()
def difference(
    objective: Objective, tensor: Tensor, index: tuple[int, ...], h: float
) -> tuple[float, float, list[str]]:
    """Return the centred difference, the size of the loss, and the kinks in between."""
    here = tensor[index].clone()
    losses, patterns, points = [], [], []
    for step in (h, -h):
        tensor[index] = here + step
        points.append(float(tensor[index]))
        loss, pattern = watched_loss(objective)
        losses.append(loss)
        patterns.append(pattern)
    tensor[index] = here
    slope = (losses[0] - losses[1]) / (points[0] - points[1])
    return slope, max(map(abs, losses)), kinks_between(*patterns)


def watched_loss(objective: Objective) -> tuple[float, list[Pattern]]:
    """Return the loss and the side of every kink on which it was computed."""
    with KinkWatch() as network:
        scores = objective.scores()
    with KinkWatch() as behind:
        loss = objective.loss(scores)
    renamed = [(IN_THE_LOSS.get(kind, kind), side) for kind, side in behind.patterns]
    return float(loss), network.patterns + renamed


def check_session(
    session: Session, *, layers: tuple[str, ...] = (), samples: int, num_images: int
) -> Iterator[TensorCheck]:
    """Yield the checks of the session's network, loss and regularisation on its first images.

    The network is a float64 copy in training mode. Raises UsageError for an unknown layer, and on
    a device that has no float64.
    """
    if session.device.torch_device.type == "mps":
        raise UsageError("gradcheck computes in float64, which mps lacks; use --device cpu")
    model, data = data_objective(session, num_images)
    penalty = session.config.regularization.build(model)
    objective = Objective(data.scores, lambda scores: data.loss(scores) + penalty())
    parameters = select_layers(model, layers)
    generator = make_generator(session.config.seed, "gradcheck")
    return check_gradient(objective, parameters, samples=samples, generator=generator)


def data_objective(session: Session, num_images: int) -> tuple[nn.Module, Objective]:
    """Return a float64 copy of the network, and its loss on the first images without λR(W)."""
    seed, model = session.config.seed, deepcopy(session.model).double().train()
    batch = next(session.batches.epoch(0))
    images_BCHW, labels_B = batch.images_BCHW[:num_images].double(), batch.labels_B[:num_images]

    def scores() -> Tensor:
        with torch.random.fork_rng(devices=[]), single_values_explained():
            torch.manual_seed(derive_seed(seed, "dropout", 0))  # the same units every time
            scores_BK: Tensor = model(images_BCHW)
        return scores_BK

    return model, Objective(scores, lambda scores: session.loss_fn(scores, labels_B))


def drowned_by_penalty(session: Session, layers: tuple[str, ...], num_images: int) -> list[str]:
    """Name the tensors beside whose λ∇R the data's gradient is too small for its faults to show."""
    model, data = data_objective(session, num_images)
    parameters = select_layers(model, layers)
    sizes = []
    for loss in (data.loss(data.scores()), session.config.regularization.build(model)()):
        slopes: tuple[Tensor | None, ...] = (None,) * len(parameters)
        if loss.requires_grad:
            slopes = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        sizes.append([0.0 if slope is None else float(slope.norm()) for slope in slopes])
    pairs = zip(parameters, *sizes, strict=True)
    return [name for name, data_size, size in pairs if 0 < data_size < TOLERANCE * size]


def select_layers(model: nn.Module, layers: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the trained parameters by name: of all layers, or of those asked for."""
    parameters: dict[str, Tensor] = {n: p for n, p in model.named_parameters() if p.requires_grad}
    for layer in layers:
        if not any(f"{name}.".startswith(f"{layer}.") for name in parameters):
            known = dict.fromkeys(name.rpartition(".")[0] or name for name in parameters)
            raise UsageError(
                f"--layer {layer}: no trained layer is called so; choose from "
                f"{name_some(list(known))}"
            )
    if not layers:
        return parameters
    prefixes = tuple(f"{layer}." for layer in layers)
    return {name: one for name, one in parameters.items() if f"{name}.".startswith(prefixes)}
