"""Check the gradients of a run's network, with its loss and its regularisation."""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from ..errors import UsageError, name_some, refusals_explained
from ..machine.device import require_float64
from ..random_streams import make_generator, same_dropout
from ..training.session import Session
from .slopes import TOLERANCE, Objective, TensorCheck, check_gradient


def check_session(
    session: Session, *, layers: tuple[str, ...] = (), samples: int, num_images: int
) -> Iterator[TensorCheck]:
    """Yield the checks of the session's network, loss and regularisation on its first images.

    The network is a float64 copy in training mode. Raises UsageError for an unknown layer, and on
    a device that has no float64.
    """
    require_float64(session.device, "gradcheck")
    model, data = data_objective(session, num_images)
    penalty = session.config.regularization.build(model)
    objective = Objective(data.scores, lambda scores: data.loss(scores) + penalty())
    parameters = select_layers(model, layers)
    generator = make_generator(session.config.seed, "gradcheck")
    return check_gradient(objective, parameters, samples=samples, generator=generator)


def data_objective(session: Session, num_images: int) -> tuple[nn.Module, Objective]:
    """Return a float64 copy of the network, and its loss on the first images without λR(W).

    The network is in training mode, with the same dropout every time.
    """
    model = deepcopy(session.model).double().train()
    batch = next(session.batches.epoch(0))
    images_BCHW, labels_B = batch.images_BCHW[:num_images].double(), batch.labels_B[:num_images]

    def scores() -> Tensor:
        with same_dropout(session.config.seed), refusals_explained():
            scores_BK: Tensor = model(images_BCHW)
        return scores_BK

    return model, Objective(scores, lambda scores: session.loss_fn(scores, labels_B))


def drowned_by_penalty(session: Session, layers: tuple[str, ...], num_images: int) -> list[str]:
    """Name the tensors whose data gradient is so small beside λ∇R that an error would not show."""
    model, data = data_objective(session, num_images)
    parameters = select_layers(model, layers)
    sizes = []
    for loss in (data.loss(data.scores()), session.config.regularization.build(model)()):
        slopes: tuple[Tensor, ...] = (torch.zeros(()),) * len(parameters)
        if loss.requires_grad:
            slopes = torch.autograd.grad(
                loss, list(parameters.values()), allow_unused=True, materialize_grads=True
            )
        sizes.append([float(slope.norm()) for slope in slopes])
    pairs = zip(parameters, *sizes, strict=True)
    return [name for name, data_size, size in pairs if 0 < data_size < TOLERANCE * size]


def suspects(checks: Sequence[TensorCheck]) -> tuple[str, str | None]:
    """Name the last layer with a wrong tensor and the next right one: the error lies in between.

    A wrong slope spoils every layer before the error and none after it. None: no layer follows
    that is right, so the loss may be wrong too. At least one tensor must be wrong.
    """
    last = max(index for index, check in enumerate(checks) if not check.passed)
    layer = layer_of(checks[last].name)
    after = (layer_of(check.name) for check in checks[last + 1 :] if check.judged)
    return layer, next((other for other in after if other != layer), None)


def layer_of(parameter: str) -> str:
    """Return the name that ``--layer`` takes: without the last part, if there are several."""
    return parameter.rpartition(".")[0] or parameter


def select_layers(model: nn.Module, layers: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the trained parameters by name: of all layers, or of those asked for."""
    parameters: dict[str, Tensor] = {n: p for n, p in model.named_parameters() if p.requires_grad}
    for layer in layers:
        if not any(f"{name}.".startswith(f"{layer}.") for name in parameters):
            known = dict.fromkeys(map(layer_of, parameters))
            raise UsageError(
                f"--layer {layer}: no trained layer is called so; choose from "
                f"{name_some(list(known))}"
            )
    if not layers:
        return parameters
    prefixes = tuple(f"{layer}." for layer in layers)
    return {name: p for name, p in parameters.items() if f"{name}.".startswith(prefixes)}
