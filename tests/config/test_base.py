from typing import Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from cnn_train.config.base import Config, tagged_union


class Circle(Config):
    kind: Literal["circle"] = "circle"
    radius: float = Field(default=1.0, description="in px")


class Polygon(Config):
    kind: Literal["square", "triangle"] = "square"


TABLE = {"circle": Circle, "square": Polygon, "triangle": Polygon}
SHAPE: Any = TypeAdapter(tagged_union(TABLE, tag="kind", default="square"))


@pytest.mark.parametrize(
    ("tree", "shape"),
    [
        ({}, Polygon(kind="square")),
        ({"kind": "triangle"}, Polygon(kind="triangle")),
        ({"kind": "circle", "radius": 2}, Circle(radius=2.0)),
        (Circle(), Circle()),
    ],
)
def test_the_tag_chooses_the_config_and_has_a_default(tree: object, shape: Config) -> None:
    assert SHAPE.validate_python(tree) == shape


@pytest.mark.parametrize("tree", [{"kind": "cube"}, {"kind": 5}, {"kind": []}, "circle", None])
def test_an_unknown_tag_names_itself_and_the_choices(tree: object) -> None:
    with pytest.raises(ValidationError) as caught:
        SHAPE.validate_python(tree)
    (error,) = caught.value.errors()
    assert error["type"] == "unknown_tag"
    assert error["ctx"] == {"tag": "kind", "choices": "circle, square, triangle"}


def test_a_default_that_the_config_itself_would_not_choose_is_refused() -> None:
    with pytest.raises(AssertionError, match="kind must default to triangle"):
        tagged_union(TABLE, tag="kind", default="triangle")


@pytest.mark.parametrize(
    "settings",
    [{"radius": value} for value in ("1.0", float("nan"), float("inf"), True)] + [{"radios": 1.0}],
)
def test_settings_are_strict_finite_and_known(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Circle.model_validate(settings)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Circle().radius = 2.0  # type: ignore[misc]
