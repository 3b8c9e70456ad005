"""The settings of a playground experiment, and how they are written in the page's address."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import Field, field_validator

from ..config.base import Config
from ..config.document import Document, Place
from ..config.loading import validate, validate_settings
from ..config.overrides import apply_overrides
from ..config.scalars import resolve_scalar
from ..errors import ConfigError

Feature = Literal["x1", "x2", "x1x1", "x2x2", "x1x2", "sin_x1", "sin_x2"]

MOST_LAYERS = 6
MOST_NEURONS = 8


class PlaygroundSettings(Config):
    """One experiment: data, network and training. Equal settings give equal experiments."""

    dataset: Literal["circle", "xor", "gauss", "spiral"] = Field(
        default="circle", description="which points are to be told apart"
    )
    points: int = Field(default=500, ge=20, le=2000, description="training and test points")
    noise: float = Field(
        default=0.1, ge=0, le=1, description="standard deviation added to each coordinate"
    )
    train_fraction: float = Field(
        default=0.5, ge=0.1, le=0.9, description="share of the points that is trained on"
    )
    features: tuple[Feature, ...] = Field(
        default=("x1", "x2"), strict=False, min_length=1, description="what the network gets to see"
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=MOST_NEURONS)], ...] = Field(
        default=(4,),
        strict=False,
        max_length=MOST_LAYERS,
        description="neurons of each hidden layer; none: a linear classifier",
    )
    activation: Literal["tanh", "relu", "sigmoid", "linear"] = Field(
        default="tanh", description="what follows each hidden neuron"
    )
    loss: Literal["cross_entropy", "hinge"] = Field(
        default="cross_entropy", description="what training makes small"
    )
    learning_rate: float = Field(default=0.1, gt=0, le=10, description="η, the step size")
    momentum: float = Field(
        default=0.0, ge=0, le=0.99, description="μ, the share of the velocity that is kept"
    )
    regularization: Literal["none", "l1", "l2"] = Field(
        default="none", description="R(W), the price on large weights"
    )
    strength: float = Field(default=0.001, ge=0, le=1, description="λ, how much R(W) counts")
    batch_size: int = Field(default=10, ge=1, le=2000, description="points per update")
    seed: int = Field(
        default=0, ge=0, le=2**31 - 1, description="decides points, first weights and order"
    )

    @field_validator("features")
    @classmethod
    def _named_once(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        if len(set(features)) < len(features):
            raise ValueError("names a feature twice; name each once")
        return features


SUGGESTED: dict[str, dict[str, Any]] = {
    "circle": {},
    "xor": {},
    "gauss": {"hidden": (2,)},
    "spiral": {
        "features": ("x1", "x2", "sin_x1", "sin_x2"),
        "hidden": (8, 8),
        "learning_rate": 0.02,
        "momentum": 0.9,
    },
}
"""Settings with which a toy set is learned better than with the defaults."""


def resolve_settings(given: Mapping[str, Any], source: str) -> PlaygroundSettings:
    """Complete ``given`` with what suits the toy set; a ConfigError names ``source``."""
    return validate_settings(_filled_in(given), source, PlaygroundSettings)


def read_overrides(overrides: Sequence[str]) -> PlaygroundSettings:
    """Read the command line's ``KEY=VALUE``, later ones win; raises ConfigError, citing them."""
    nothing = Document({}, {}, {(): Place(layer=0, line=1, column=1, source="playground")})
    document = apply_overrides(nothing, overrides)
    return validate(replace(document, tree=_filled_in(document.tree)), PlaygroundSettings)


def read_address(address: str, source: str) -> PlaygroundSettings:
    """Read the part of a page's address after the ``#``; raises ConfigError."""
    try:
        pairs = parse_qsl(address, keep_blank_values=True, strict_parsing=bool(address))
    except ValueError:
        raise ConfigError(f"{source}: expected name=value&name=value") from None
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise ConfigError(f"{source}: {name} is given {times} times; give it once")
    return resolve_settings({name: resolve_scalar(text) for name, text in pairs}, source)


def write_address(settings: PlaygroundSettings) -> str:
    """Write every setting as :func:`read_address` reads it."""
    texts = {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in settings.model_dump().items()
    }
    return urlencode(texts, safe=",", quote_via=quote)


def _filled_in(given: Mapping[str, Any]) -> dict[str, Any]:
    name = given.get("dataset")
    suggested = SUGGESTED.get(name, {}) if isinstance(name, str) else {}
    lists = {key: _as_list(given[key]) for key in ("features", "hidden") if key in given}
    return {**suggested, **given, **lists}


def _as_list(value: Any) -> Any:
    """Read ``8,8`` as [8, 8], 4 as [4] and nothing as []; a list stays what it is."""
    if isinstance(value, str):
        return [resolve_scalar(item.strip()) for item in value.split(",")]
    if value is None:
        return []
    return value if isinstance(value, list | tuple) else [value]
