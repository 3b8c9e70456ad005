"""A small made-up experiment with every kind of setting that the real one has."""

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field, model_validator

from cnn_train.config.base import Config, tagged_union


class Lenet(Config):
    name: Literal["lenet"] = Field(default="lenet", description="five layers")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of units dropped")


class Vgg(Config):
    name: Literal["vgg11", "vgg16"] = Field(default="vgg16", description="depth of the net")
    batch_norm: bool = Field(default=True, description="normalise after each convolution")


class Sgd(Config):
    name: Literal["sgd"] = Field(default="sgd", description="stochastic gradient descent")
    lr: float = Field(default=0.1, gt=0, description="learning rate, > 0")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="velocity kept, in [0, 1)")
    nesterov: bool = Field(default=False, description="look ahead along the velocity")

    @model_validator(mode="after")
    def check_nesterov(self) -> "Sgd":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum; set momentum above 0")
        return self


class Adamw(Config):
    name: Literal["adamw"] = Field(default="adamw", description="Adam, decoupled decay")
    lr: float = Field(default=1e-3, gt=0, description="learning rate, > 0")
    betas: tuple[float, float] = Field(
        default=(0.9, 0.999), strict=False, description="decay of the two moments"
    )


class Shapes(Config):
    name: Literal["shapes"] = Field(default="shapes", description="drawn shapes")


class Folder(Config):
    name: Literal["folder"] = Field(default="folder", description="your own images")
    root: Path = Field(strict=False, description="directory that holds train/ and test/")


class Augment(Config):
    flip: Literal["none", "random", "alternate"] = Field(
        default="random", description="mirror images left to right"
    )


class Experiment(Config):
    data: tagged_union(  # type: ignore[valid-type]
        {"shapes": Shapes, "folder": Folder}, tag="name", default="shapes"
    ) = Field(default=Shapes(), description="images to learn from")
    model: tagged_union(  # type: ignore[valid-type]
        {"lenet": Lenet, "vgg11": Vgg, "vgg16": Vgg}, tag="name", default="vgg16"
    ) = Field(default=Vgg(), description="network")
    optimizer: tagged_union(  # type: ignore[valid-type]
        {"sgd": Sgd, "adamw": Adamw}, tag="name", default="sgd"
    ) = Field(default=Sgd(), description="rule that updates the weights")
    augment: Augment = Field(default=Augment(), description="random changes of the images")
    milestones: tuple[int, ...] = Field(default=(), strict=False, description="epochs of the drops")
    ema_decay: float | None = Field(default=None, gt=0, lt=1, description="null: no average")
    warmup: int | Literal["auto"] = Field(default="auto", description="epochs of warm-up")
    batch_size: int = Field(default=128, ge=1, description="images per step")
    epochs: int = Field(default=30, ge=1, description="passes over the training set")
    seed: int = Field(default=0, ge=0, description="of every random draw")
    note: str = Field(default="", description="free text")

    def warnings(self) -> list[str]:
        useless = self.epochs == 1 and self.milestones
        return ["milestones: no effect with one epoch"] if useless else []


@pytest.fixture(scope="session")
def experiment_type() -> Any:
    return Experiment
