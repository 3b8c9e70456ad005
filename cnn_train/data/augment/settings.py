"""The settings of everything that is done at random to a training image."""

from typing import Annotated

from pydantic import Field, model_validator

from ...config.base import Config
from .augmentation import Augmentation, Flip
from .change import Change
from .colouring import Tint
from .covering import Erasing
from .mixing import Mixing
from .shaping import WHOLE, TurnAndCrop
from .trivial import TrivialAugment

Share = Annotated[float, Field(gt=0, le=1)]
Shares = tuple[Share, Share]
Ratio = Annotated[float, Field(ge=0.01, le=100)]
Ratios = tuple[Ratio, Ratio]

LEAST_ALPHA = 0.01
"""Below, numbers drawn from Beta(α, α) round to 0, ½ or 1."""


class AugmentConfig(Config):
    """Settings of the changes made to each training image."""

    flip: Flip = Field(
        default="random",
        description="mirror left-right: none; random: half the images of every epoch; "
        "alternating: each image in every second epoch",
    )
    translate: int = Field(
        default=4, ge=0, description="largest shift up, down, left or right in px; borders reflect"
    )
    cutout: int = Field(
        default=0, ge=0, description="side in px of a square filled with the mean colour; 0: none"
    )
    brightness: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="most that is added to all of an image's normalised levels or taken from "
        "them, in standard deviations; 0: nothing",
    )
    contrast: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="most by which a factor on an image's normalised levels, their distances from "
        "the mean colour, differs from 1; 0: nothing",
    )
    saturation: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="most by which a factor on each pixel's distance from its own grey differs "
        "from 1; 0: nothing",
    )
    hue: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="most by which colours turn on the colour circle to either side, as a part of "
        "it; 0: nothing, 0.5: any colour",
    )
    rotation: float = Field(
        default=0.0,
        ge=0,
        le=180,
        description="largest turn to either side in degrees; borders reflect; 0: none",
    )
    crop_scale: Shares = Field(
        default=WHOLE,
        strict=False,
        description="smallest and largest share of the area of a part that is cut out and "
        "enlarged to full size, such as [0.3, 1]; [1, 1]: none",
    )
    crop_ratio: Ratios = Field(
        default=(0.75, 1.333),
        strict=False,
        description="smallest and largest width over height of the part that is cut out",
    )
    trivial_augment: bool = Field(
        default=False,
        description="do one of 14 operations to each image, such as shear, equalize or solarize, "
        "at a random strength",
    )
    erasing: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="probability that a rectangle is filled with the mean colour; 0: never",
    )
    erasing_scale: Shares = Field(
        default=(0.02, 0.33),
        strict=False,
        description="smallest and largest share of the area of the rectangle that is filled",
    )
    erasing_ratio: Ratios = Field(
        default=(0.3, 3.3),
        strict=False,
        description="smallest and largest height over width of the rectangle that is filled",
    )
    mixup: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="blend each image and its label with another of the minibatch; its share is "
        "drawn from Beta(α, α) with this α, such as 0.2; 0: never",
    )
    cutmix: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="paste a rectangle of another image of the minibatch; its area and its part "
        "in the label are drawn from Beta(α, α) with this α, such as 1; 0: never",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "AugmentConfig":
        for name in ("crop_scale", "crop_ratio", "erasing_scale", "erasing_ratio"):
            least, most = getattr(self, name)
            if least > most:
                raise ValueError(f"{name} [{least:g}, {most:g}]: write the smaller number first")
        for name in ("mixup", "cutmix"):
            if 0 < (alpha := getattr(self, name)) < LEAST_ALPHA:
                raise ValueError(f"{name} {alpha:g}: write 0, or {LEAST_ALPHA} and up")
        return self

    @property
    def mixes(self) -> bool:
        """Whether a training image may hold a part of another one."""
        return self.mixup > 0 or self.cutmix > 0

    def warnings(self) -> list[str]:
        """Name what is set without effect, because its change is switched off."""
        return [
            *self.without_effect("augment", "crop_scale", "crop_ratio"),
            *self.without_effect("augment", "erasing", "erasing_scale", "erasing_ratio"),
        ]

    def build(self) -> Augmentation:
        """Build the augmentation with these settings: what is switched on, in order."""
        changes: list[Change] = []
        if self.rotation or self.crop_scale != WHOLE:
            changes.append(TurnAndCrop(self.rotation, self.crop_scale, self.crop_ratio))
        if self.trivial_augment:
            changes.append(TrivialAugment())
        if self.saturation or self.hue:
            changes.append(Tint(self.saturation, self.hue))
        if self.erasing:
            changes.append(Erasing(self.erasing, self.erasing_scale, self.erasing_ratio))
        mixing = Mixing(self.mixup, self.cutmix) if self.mixes else None
        first = (self.flip, self.translate, self.cutout, self.brightness, self.contrast)
        return Augmentation(*first, tuple(changes), mixing)
