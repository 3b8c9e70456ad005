"""Describe an experiment as JSON Schema, which editors use to complete and check YAML."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class _EditorSchema(GenerateJsonSchema):
    """Pydantic's generator, except for sections that a tag chooses."""

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Require the tag in every variant but the default one.

        Without that, ``{lr: 0.1}`` would match each variant that knows ``lr``, and ``oneOf``
        allows only one match. An ``allOf`` joins it to the reference, because editors that read
        older dialects ignore what stands next to a ``$ref``.
        """
        tag = schema["custom_error_context"]["tag"]
        choose = schema["discriminator"]
        assert callable(choose), "sections are unions made by config.base.tagged_union"
        default = choose({})
        return {
            "oneOf": [
                reference if name == default else {"allOf": [reference, {"required": [tag]}]}
                for name, variant in schema["choices"].items()
                for reference in [self.generate_inner(variant)]
            ]
        }


def json_schema(experiment_type: type[BaseModel]) -> Any:
    """Return the JSON Schema document of an experiment's YAML."""
    schema = experiment_type.model_json_schema(schema_generator=_EditorSchema)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "cnn-train experiment"}
