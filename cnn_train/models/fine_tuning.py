"""Which parts of a network learn, and from which epoch on.

For a network that has learned something already: early layers know edges and textures, which serve
any images, and the last layer knows nothing yet (Yosinski et al., "How transferable are features in
deep neural networks?", 2014).
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from ..config.base import Config
from ..config.spelling import nearest
from ..errors import ConfigError, counted, name_some
from .head import head_tensors

BODY = "body"
"""In place of a name: everything but the last layer."""


class FineTuningConfig(Config):
    """What keeps the weights that the run starts from, and what learns more slowly."""

    freeze: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        strict=False,
        description="layers that keep their weights, by name as `models show` prints them, such as "
        "[stage1, stage2]; [body]: all but the last one. Their batch norm keeps its statistics",
    )
    head_first_epochs: int = Field(
        default=0, ge=0, description="first epochs, in which the last layer learns alone"
    )
    body_lr: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="factor on the learning rate of all but the last layer, in (0, 1]",
    )

    def warnings(self, epochs: int) -> list[str]:
        """Name settings without effect in a training of so many epochs."""
        first, warnings = self.head_first_epochs, []
        if BODY in self.freeze and (first or self.body_lr < 1 or len(self.freeze) > 1):
            warnings.append(
                "fine_tuning.freeze body: only the last layer learns, in every epoch, so the other "
                "settings of fine_tuning have no effect"
            )
        elif first >= epochs:
            warnings.append(
                f"fine_tuning.head_first_epochs {first}: training lasts "
                f"{counted(epochs, 'epoch')}, so only the last layer ever learns; "
                "freeze: [body] says that"
            )
        return warnings


def freeze(model: nn.Module, names: Sequence[str]) -> None:
    """Let the named layers keep their weights.

    Raises ConfigError for a name without weights in this network, and for the last layer.
    """
    parameters = dict(model.named_parameters())
    head = head_tensors(model) & parameters.keys()
    parts = dict.fromkeys(name.split(".")[0] for name in parameters)
    known = {layer for name in parameters for layer in _layers_of(name)} | {BODY}
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            raise ConfigError(
                f"fine_tuning.freeze: the network has no {name!r} with weights; "
                + (f"did you mean {guess!r}? " if guess else "")
                + f"its parts are {name_some(list(parts))}; `cnn-train models show` lists all"
            )
        parts_of_it = [own for own in parameters if name in _layers_of(own)]
        frozen = body_parameters(model) if name == BODY else parts_of_it
        if not head.isdisjoint(frozen):
            raise ConfigError(
                f"fine_tuning.freeze: {name} holds the last layer ({name_some(sorted(head))}), "
                "which has to learn; name the others"
            )
        for own in frozen:
            parameters[own].requires_grad_(False)


def _layers_of(name: str) -> list[str]:
    """Name a parameter and all that it is a part of: a, a.b, a.b.weight."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def body_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return all parameters but those of the last layer, by name."""
    head = head_tensors(model)
    return {name: value for name, value in model.named_parameters() if name not in head}


def let_body_learn(model: nn.Module, optimizer: Optimizer, learns: bool) -> None:
    """Let what ``optimizer`` updates of all but the last layer learn, or not for now.

    What has no gradient gets no update, no decay and no momentum from any of our optimisers.
    """
    body = set(map(id, body_parameters(model).values()))
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if id(parameter) in body:
                parameter.requires_grad_(learns)


def train_mode(model: nn.Module) -> nn.Module:
    """Put a network in training mode, all but its frozen batch norm, which keeps its statistics."""
    model.train()
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, nn.BatchNorm2d) and own and not any(p.requires_grad for p in own):
            module.eval()
    return model
