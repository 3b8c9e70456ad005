"""A small network that learns CIFAR-10 in minutes on a CPU.

Its ideas come from speed records (Page's DAWNBench networks, Keller Jordan's airbench): few layers,
pooling before normalisation so that the costly part works on a quarter of the pixels, a global
maximum instead of an average, and scores scaled down by a constant.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ConfigError
from .architecture import MOST_LAYERS, ArchitectureConfig, NumMaps, require_side
from .initialisation import initialise
from .whitening import Whitening

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
PIXEL_BLOCK = 2  # side of the blocks that the space_to_depth stem turns into channels


class GlobalMaxPool(nn.Module):
    """The largest value of each map.

    ``nn.AdaptiveMaxPool2d`` gives the same numbers, but its gradient on a GPU depends on the order
    of additions, so that torch refuses it under ``--deterministic``.
    """

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return maps of one unit each."""
        return F.max_pool2d(x_BCHW, x_BCHW.shape[2:])


HEAD_POOLS: dict[str, Callable[[], nn.Module]] = {
    "max": GlobalMaxPool,
    "average": partial(nn.AdaptiveAvgPool2d, 1),
}


class Scale(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Return ``factor`` · x."""
        return self.factor * x

    def extra_repr(self) -> str:
        """Show the constant where the network is printed."""
        return f"{self.factor:g}"


class ExtraConvolution(nn.Module):
    """3×3, norm, activation at constant shape, added to the input where ``residual``."""

    def __init__(
        self, channels: int, activation: type[nn.Module], residual: bool, norm_momentum: float
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels, momentum=norm_momentum)
        self.act = activation()
        self.residual = residual

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return branch, or input + branch."""
        y_BCHW: Tensor = self.act(self.bn(self.conv(x_BCHW)))
        return x_BCHW + y_BCHW if self.residual else y_BCHW


class Stage(nn.Sequential):
    """conv, [pool], bn, act, then the extra convolutions extra1, extra2, …."""

    def __init__(
        self,
        convolution: nn.Conv2d,
        pool: int,
        activation: type[nn.Module],
        extras: int,
        residual: bool,
        norm_momentum: float,
    ) -> None:
        super().__init__()
        width = convolution.out_channels
        self.conv = convolution
        if pool > 1:
            self.pool = nn.MaxPool2d(pool)
        self.bn = nn.BatchNorm2d(width, momentum=norm_momentum)
        self.act = activation()
        for number in range(1, extras + 1):
            extra = ExtraConvolution(width, activation, residual, norm_momentum)
            self.add_module(f"extra{number}", extra)


class FastNet(nn.Sequential):
    """[unshuffle or whiten, act], stage1, stage2, …, pool, flatten, fc, scale."""

    def __init__(
        self,
        num_classes: int,
        image_shape: tuple[int, int, int],
        *,
        widths: tuple[int, ...] = (24, 64, 128, 256),
        extra_convolutions: tuple[int, ...] = (0, 0, 1, 1),
        pools: tuple[int, ...] = (2, 2, 2, 2),
        stem: str = "plain",
        stem_kernel_px: int = 3,
        residual: bool = True,
        activation: str = "relu",
        head_pool: str = "max",
        score_scale: float = 0.125,
        identity_init: bool = False,
        norm_scale: bool = True,
        norm_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        channels = image_shape[0]
        if stem == "space_to_depth":
            self.unshuffle = nn.PixelUnshuffle(PIXEL_BLOCK)
            channels *= PIXEL_BLOCK**2
        if stem == "whitening":
            self.whiten = Whitening(channels, stem_kernel_px)
            self.act = ACTIVATIONS[activation]()
            channels, stem_kernel_px = self.whiten.out_channels, 3
        kernel_px, stride = stem_kernel_px, 2 if stem == "strided" else 1
        stages = zip(widths, extra_convolutions, pools, strict=True)
        for number, (width, extras, pool) in enumerate(stages, start=1):
            padding = (kernel_px - 1) // 2
            conv = nn.Conv2d(channels, width, kernel_px, stride, padding, bias=False)
            stage = Stage(conv, pool, ACTIVATIONS[activation], extras, residual, norm_momentum)
            self.add_module(f"stage{number}", stage)
            channels, kernel_px, stride = width, 3, 1
        self.pool = HEAD_POOLS[head_pool]()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes, bias=False)
        self.scale = Scale(score_scale)
        initialise(self, head=self.fc, head_std=0.1 / score_scale)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.requires_grad_(norm_scale)
            elif identity_init and type(module) is nn.Conv2d:  # not the whitening, which is fixed
                nn.init.dirac_(module.weight.data[: module.in_channels])

    @property
    def image_layers(self) -> list[Whitening]:
        """The layers that are computed from training images before the first update."""
        return [module for module in self.modules() if isinstance(module, Whitening)]


class FastNetConfig(ArchitectureConfig):
    """FastNet: a small convolutional network that trains in minutes on a CPU."""

    name: Literal["fastnet"] = "fastnet"
    widths: tuple[NumMaps, ...] = Field(
        default=(24, 64, 128, 256), strict=False, min_length=1, description="maps of each stage"
    )
    extra_convolutions: tuple[Annotated[int, Field(ge=0, le=MOST_LAYERS)], ...] = Field(
        default=(0, 0, 1, 1),
        strict=False,
        description="further 3×3 convolutions at the end of each stage",
    )
    pools: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(2, 2, 2, 2),
        strict=False,
        description="side of the max-pooling after each stage's first convolution; 1: none",
    )
    stem: Literal["plain", "strided", "space_to_depth", "whitening"] = Field(
        default="plain",
        description="the first convolution: on every pixel, on every second one, on 2×2 blocks of "
        "pixels turned into channels, or on patches whitened by filters computed from the images",
    )
    stem_kernel_px: int = Field(
        default=3, ge=1, le=11, description="side of the first convolution's kernel, in pixels"
    )
    residual: bool = Field(
        default=True, description="add the input of every extra convolution to its output"
    )
    activation: Literal["relu", "gelu", "silu"] = Field(
        default="relu", description="relu is the cheapest on a CPU"
    )
    head_pool: Literal["max", "average"] = Field(
        default="max", description="how each last map becomes one number"
    )
    score_scale: float = Field(
        default=0.125, gt=0, description="constant that the scores are multiplied by"
    )
    identity_init: bool = Field(
        default=False, description="the first filters of every convolution copy an input map each"
    )
    norm_scale: bool = Field(default=True, description="batch norm learns a scale for every map")
    norm_momentum: float = Field(
        default=0.1, gt=0, le=1, description="weight of the newest minibatch in batch statistics"
    )

    @model_validator(mode="after")
    def _one_entry_per_stage(self) -> Self:
        lengths = (len(self.widths), len(self.extra_convolutions), len(self.pools))
        if len(set(lengths)) > 1:
            raise ValueError(
                "widths, extra_convolutions and pools need one entry per stage each, "
                f"not {lengths[0]}, {lengths[1]} and {lengths[2]}"
            )
        if (depth := lengths[0] + sum(self.extra_convolutions)) > MOST_LAYERS:
            raise ValueError(f"{depth} convolutions are more than {MOST_LAYERS}")
        return self

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> FastNet:
        """Make the network for images of ``image_shape`` (C, H, W), if its poolings fit them."""
        halves = self.stem in ("strided", "space_to_depth")
        shrink = math.prod(self.pools) * (PIXEL_BLOCK if halves else 1)
        if self.stem == "whitening":
            shrink += self.stem_kernel_px - 1  # its convolution has no padding
        require_side(self.name, image_shape, at_least_px=shrink)
        if self.stem == "space_to_depth" and any(side % PIXEL_BLOCK for side in image_shape[1:]):
            raise ConfigError(
                "model.stem: space_to_depth needs images with even sides, not "
                f"{image_shape[1]}×{image_shape[2]}; choose plain or strided"
            )
        return FastNet(num_classes, image_shape, **self.settings)
