"""One training step under the magnifying glass: forward, backward, update.

    F-pass    scores = f(x, θ),  L = 1/B Σ L_i + λR(θ)
    B-pass    g = dL/dθ, from the loss back through every layer
    update    θ ← θ − η g    (plain SGD; momentum and its relatives look at more than g)

What to look at: the outputs of the layers should neither vanish nor explode from the first to the
last, nor should the gradients on their way back; and an update should change the weights by about a
thousandth of their size: far more is a rate too large, far less one too small.

The step is the session's own, made by the project's training loop; hooks take the figures.

Shape letters: B minibatch.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..device import with_autocast
from ..errors import single_values_explained
from ..models.summary import is_layer
from ..profile_step import divergence_explained, time_phases
from ..session import Session

TIMED_STEPS = 3


@dataclass(frozen=True)
class LayerSizes:
    """The sizes of a layer's output and weights in one step.

    output_rms and output_gradient_rms: root mean square of the output's values and of dL/d(value).
    zeros: share of the values that are exactly 0. The norms are of all the layer's own parameters
    together: before the step, of the gradient, and of the change; None where it has none.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    output_rms: float
    zeros: float
    output_gradient_rms: float | None
    weight_norm: float | None
    gradient_norm: float | None
    update_norm: float | None

    @property
    def update_ratio(self) -> float | None:
        """‖Δθ‖ / ‖θ‖; None without parameters, and where all of them were 0."""
        if self.update_norm is None or not self.weight_norm:
            return None
        return self.update_norm / self.weight_norm


@dataclass(frozen=True)
class EntryStep:
    """One number of a parameter tensor before and after: ``descent`` is −η g."""

    parameter: str
    index: tuple[int, ...]
    before: float
    gradient: float
    descent: float
    after: float


@dataclass(frozen=True)
class TrainingStep:
    """All that one step did. num_plain: how many numbers moved by exactly −η g, in float32."""

    batch_size: int
    lr: float
    loss: float
    penalty: float
    total: float
    num_correct: int
    layers: tuple[LayerSizes, ...]
    entries: tuple[EntryStep, ...]
    num_numbers: int
    num_plain: int
    phase_seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``learn step --json`` prints."""
        layers = [asdict(one) | {"update_ratio": one.update_ratio} for one in self.layers]
        return asdict(self) | {"layers": layers}


@dataclass(frozen=True)
class Change:
    """One parameter around the update: before, its gradient and its rate, after."""

    before: Tensor
    gradient: Tensor
    lr: float
    after: Tensor

    @property
    def plain(self) -> Tensor:
        """Where plain SGD, in the same float32, would have put it: θ − η g."""
        return torch.add(self.before, self.gradient, alpha=-self.lr)


def take_step(session: Session, num_entries: int) -> TrainingStep:
    """Train on the first minibatch as ``fit`` would, and say what happened; then time more steps.

    Full-batch descent takes its first piece as if it were all. The session is used up. Raises
    DivergedError where a loss or gradient of these steps is not finite.
    """
    session = with_one_minibatch(session)
    with divergence_explained(session):
        return _take_step(session, num_entries)


def _take_step(session: Session, num_entries: int) -> TrainingStep:
    outputs: dict[str, tuple[Tensor, list[Tensor]]] = {}
    changes: dict[str, Change] = {}
    with ExitStack() as stack:
        stack.enter_context(watched_outputs(session.model, outputs))
        stack.enter_context(watched_update(session, changes))
        stack.enter_context(single_values_explained())
        (tally,) = session.train_rest_of_epoch()
    layers = [
        measure_layer(name, session.model.get_submodule(name), *seen, changes)
        for name, seen in outputs.items()
    ]
    plain = [change.plain == change.after for change in changes.values()]
    return TrainingStep(
        batch_size=tally.num_examples,
        lr=session.optimizer.param_groups[0]["lr"],
        loss=tally.loss,
        penalty=tally.penalty,
        total=tally.loss + tally.penalty,
        num_correct=int(tally.num_correct),
        layers=tuple(layers),
        entries=tuple(choose_entries(changes, num_entries)),
        num_numbers=sum(same.numel() for same in plain),
        num_plain=sum(int(same.sum()) for same in plain),
        phase_seconds=time_phases(session, TIMED_STEPS),
    )


def with_one_minibatch(session: Session) -> Session:
    """Cut the epoch down to its first minibatch, which makes an update; leave out compilation."""
    first = replace(session.batches.plan[0], share=1.0, completes_update=True)
    forward = with_autocast(session.model, session.device, session.precision)
    return replace(session, batches=replace(session.batches, plan=(first,)), forward=forward)


@contextmanager
def watched_outputs(
    model: nn.Module, outputs: dict[str, tuple[Tensor, list[Tensor]]]
) -> Iterator[None]:
    """Keep every layer's output, and a list for its gradient, by the layer's name."""

    def keep(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        gradients: list[Tensor] = []
        if output.requires_grad:
            output.register_hook(gradients.append)  # type: ignore[no-untyped-call]
        outputs[name] = (output.detach(), gradients)

    with ExitStack() as stack:
        for name, module in model.named_modules():
            if is_layer(module):
                hook = module.register_forward_hook(partial(keep, name))
                stack.callback(hook.remove)
        yield


@contextmanager
def watched_update(session: Session, changes: dict[str, Change]) -> Iterator[None]:
    """Keep every parameter's value before and after the update, its gradient and its rate."""
    optimizer = session.optimizer
    names = {parameter: name for name, parameter in session.model.named_parameters()}
    before: dict[str, tuple[Tensor, Tensor, float]] = {}

    def keep_before(*_: Any) -> None:
        for group in optimizer.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    pair = (one.detach().clone(), one.grad.clone())
                    before[names[one]] = (*pair, group["lr"])

    def keep_after(*_: Any) -> None:
        for name, values in before.items():
            changes[name] = Change(*values, session.model.get_parameter(name).detach().clone())

    hooks = (
        optimizer.register_step_pre_hook(keep_before),
        optimizer.register_step_post_hook(keep_after),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def measure_layer(
    name: str,
    module: nn.Module,
    output: Tensor,
    gradients: list[Tensor],
    changes: dict[str, Change],
) -> LayerSizes:
    """Put the sizes of one layer together."""
    own = [
        f"{name}.{short}" if name else short for short, _ in module.named_parameters(recurse=False)
    ]
    moved = [changes[one] for one in own if one in changes]
    return LayerSizes(
        name=name,
        kind=type(module).__name__,
        output_shape=tuple(output.shape[1:]),
        output_rms=rms(output),
        zeros=float((output == 0).float().mean()),
        output_gradient_rms=rms(sum_of(gradients)) if gradients else None,
        weight_norm=norm([one.before for one in moved]),
        gradient_norm=norm([one.gradient for one in moved]),
        update_norm=norm([one.after - one.before for one in moved]),
    )


def sum_of(gradients: list[Tensor]) -> Tensor:
    """Add what reached a tensor; autograd has done so already, and calls once."""
    return torch.stack([one.float() for one in gradients]).sum(0)


def rms(values: Tensor) -> float:
    """Return the root of the mean square."""
    return float(values.float().square().mean().sqrt())


def norm(tensors: list[Tensor]) -> float | None:
    """Return the Euclidean length of all tensors together; None without any."""
    return float(torch.stack([one.norm() for one in tensors]).norm()) if tensors else None


def choose_entries(changes: dict[str, Change], num_entries: int) -> Iterator[EntryStep]:
    """Yield the steepest number of tensors that are spread evenly from the first to the last."""
    names = list(changes)
    last = len(names) - 1
    spread = [round(i * last / max(num_entries - 1, 1)) for i in range(num_entries)]
    for name in dict.fromkeys(names[i] for i in spread):
        change = changes[name]
        flat = change.gradient.abs().flatten().argmax().cpu()
        index = tuple(int(axis) for axis in torch.unravel_index(flat, change.gradient.shape))
        slope = float(change.gradient[index])
        before, after = float(change.before[index]), float(change.after[index])
        yield EntryStep(name, index, before, slope, -change.lr * slope, after)
