import json
from typing import Any

import pytest

from cnn_train.config.json_schema import json_schema


def matches(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Check the keywords that decide between variants; types and ranges are pydantic's business."""
    if "$ref" in schema:
        target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        if not matches(value, target, root):
            return False
    if "oneOf" in schema and sum(matches(value, one, root) for one in schema["oneOf"]) != 1:
        return False
    if not all(matches(value, one, root) for one in schema.get("allOf", ())):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if not isinstance(value, dict):
        return True
    properties = schema.get("properties", {})
    if schema.get("additionalProperties") is False and not value.keys() <= properties.keys():
        return False
    return all(key in value for key in schema.get("required", ())) and all(
        matches(item, properties[key], root) for key, item in value.items() if key in properties
    )


@pytest.mark.parametrize(
    ("tree", "is_valid"),
    [
        ({}, True),
        ({"optimizer": {"lr": 0.1}}, True),  # both optimisers know lr; without a name it is sgd
        ({"optimizer": {"momentum": 0.9}}, True),
        ({"optimizer": {"name": "adamw", "lr": 0.1}}, True),
        ({"model": {"name": "vgg11"}}, True),
        ({"model": {"name": "lenet", "dropout": 0.5}}, True),
        ({"model": {}, "data": {}, "optimizer": {}}, True),
        ({"optimizer": {"betas": [0.9, 0.99]}}, False),
        ({"optimizer": {"name": "adamw", "momentum": 0.9}}, False),
        ({"optimizer": {"momentun": 0.9}}, False),
        ({"model": {"name": "vgg15"}}, False),
        ({"modle": {}}, False),
        ({"data": {"name": "folder"}}, False),
        ({"data": {"name": "folder", "root": "images"}}, True),
    ],
)
def test_the_schema_accepts_exactly_what_loading_accepts(
    experiment_type: Any, tree: dict[str, Any], is_valid: bool
) -> None:
    schema = json_schema(experiment_type)
    assert matches(tree, schema, schema) is is_valid
    if is_valid:
        experiment_type.model_validate(tree)
    else:
        with pytest.raises(ValueError, match="validation error"):
            experiment_type.model_validate(tree)


def test_the_schema_is_plain_json_with_dialect_title_and_descriptions(experiment_type: Any) -> None:
    schema = json.loads(json.dumps(json_schema(experiment_type), allow_nan=False))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "cnn-train experiment"
    assert schema["properties"]["epochs"]["description"] == "passes over the training set"
