"""Any torchvision classification network, by default with first layers for small images.

Networks for 224×224 photographs begin by shrinking the image four times. Here the first
convolution, where it strides, becomes a 3×3 convolution of stride 1, and a pooling right behind
it is left out (``stem: original`` keeps both). Weights are random here: those that ``weights``
names are filled in where a new run starts (training/fine_tuning.py), and nowhere else.
"""

from contextlib import nullcontext
from typing import Any, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator, model_validator
from torch import nn

from ..config.spelling import nearest
from ..errors import ConfigError
from .architecture import ArchitectureConfig

NOT_ADAPTABLE = {
    **dict.fromkeys(("vit_", "swin_", "maxvit_"), "its attention is laid out for large images"),
    "inception_": "it shrinks images below 75×75 pixels to nothing",
}
# arguments that a constructor needs besides weights and num_classes
EXTRA_ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True}
}


class TorchvisionConfig(ArchitectureConfig):
    """Any torchvision classifier, adapted to small images (by default efficientnet_b0)."""

    name: Literal["torchvision"] = "torchvision"
    architecture: str = Field(
        default="efficientnet_b0",
        description="torchvision's name of the network, such as resnext50_32x4d or convnext_tiny",
    )
    stem: Literal["small", "original"] = Field(
        default="small",
        description="first layers: small keeps the resolution of small images, original shrinks "
        "them as published, which torchvision's own weights need and get by default",
    )
    weights: str = Field(
        default="none",
        description="published weights that a new run starts from, downloaded once: DEFAULT, the "
        "best, or a name such as IMAGENET1K_V1; none: random ones",
    )

    @model_validator(mode="before")
    @classmethod
    def _weights_bring_their_stem(cls, settings: Any) -> Any:
        if isinstance(settings, dict) and settings.get("weights", "none") != "none":
            return {"stem": "original", **settings}
        return settings

    @field_validator("architecture")
    @classmethod
    def _is_supported(cls, architecture: str) -> str:
        from torchvision import models

        choices = models.list_models(module=models)
        if architecture not in choices:
            guess = nearest(architecture, choices)
            hint = f"did you mean {guess!r}?" if guess else f"choose {', '.join(choices)}"
            raise ValueError(f"torchvision has no network {architecture!r}; {hint}")
        for prefix, reason in NOT_ADAPTABLE.items():
            if architecture.startswith(prefix):
                raise ValueError(
                    f"{architecture} cannot be adapted to small images: {reason}; "
                    "choose a convolutional network such as efficientnet_b0"
                )
        return architecture

    @field_validator("weights")
    @classmethod
    def _are_published(cls, weights: str, others: ValidationInfo) -> str:
        """Replace DEFAULT by the name that it has in this release, for the run to be the same."""
        architecture = others.data.get("architecture")
        if weights == "none" or architecture is None:
            return weights
        if architecture == "googlenet":
            raise ValueError(
                "googlenet normalises images inside the network with them; choose another network"
            )
        if others.data.get("stem") == "small":
            raise ValueError(f"{weights} are for the published first layers: set stem: original")
        published = published_weights(architecture).__members__
        if weights not in published:
            choices = ", ".join(["none", *published])
            raise ValueError(f"torchvision has no {weights!r} of {architecture}; choose {choices}")
        return str(published[weights].name)

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Make the network; ConfigError where it cannot take such images."""
        model = self._construct(num_classes)
        adapt_stem(model, channels=image_shape[0], stem=self.stem)
        for module in model.modules():
            if getattr(module, "inplace", False):  # hooks and guided backprop need a layer's input
                module.inplace = False  # type: ignore[assignment]
        self._require_fit(model, image_shape)
        return model

    def _construct(self, num_classes: int) -> nn.Module:
        from torchvision.models import get_model

        arguments = {"num_classes": num_classes, **EXTRA_ARGUMENTS.get(self.architecture, {})}
        # RegNet's constructor reads back numbers that it computed, which the meta device cannot
        needs_cpu = self.architecture.startswith("regnet_")
        with torch.device("cpu") if needs_cpu else nullcontext():
            model: nn.Module = get_model(self.architecture, weights=None, **arguments)
        return model.to(torch.get_default_device()) if needs_cpu else model

    def _require_fit(self, model: nn.Module, image_shape: tuple[int, int, int]) -> None:
        """Try one empty image, the only way to learn how far such a network shrinks it."""
        try:
            with torch.no_grad():
                model.eval()(torch.zeros(1, *image_shape))
        except RuntimeError as error:
            channels, height, width = image_shape
            raise ConfigError(
                f"model.architecture: torchvision's {self.architecture} cannot take images of "
                f"{channels}×{height}×{width}; enlarge them or choose another architecture"
            ) from error
        model.train()


def published_weights(architecture: str) -> Any:
    """Return torchvision's table (an enum) of the network's weights: ``url``, ``transforms()``."""
    from torchvision.models import get_model_weights

    return get_model_weights(architecture)


def adapt_stem(model: nn.Module, channels: int, stem: str) -> None:
    """Let the first convolution take ``channels``.

    A small stem is 3×3 with stride 1 where it would stride, without a pooling right behind it.
    """
    convolutions = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    name, first = convolutions[0]
    changes = stem == "small" and first.stride != (1, 1)
    shape = ((3, 3), (1, 1), 1) if changes else (first.kernel_size, first.stride, first.padding)
    if changes or first.in_channels != channels:  # drawn He-normal (fan-out)
        bias = first.bias is not None
        made = nn.Conv2d(channels, first.out_channels, *shape, bias=bias)  # type: ignore[misc]
        nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
        model.set_submodule(name, made)
    if changes:
        names = [name for name, _ in model.named_modules()]
        for between in names[names.index(name) : names.index(convolutions[1][0])]:
            if isinstance(model.get_submodule(between), nn.MaxPool2d):
                model.set_submodule(between, nn.Identity())
