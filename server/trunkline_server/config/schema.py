"""The settings as JSON Schema, for editors and for the documentation."""

from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from trunkline_server.config.settings import Settings

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema of a file, after its variables have been put in."""
    schema = Settings.model_json_schema(schema_generator=_Generator)
    return {"$schema": DIALECT, **schema, "title": "trunkline.yaml"}


class _Generator(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of names, which say nothing more, and null, which means unset."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """What may be unset is left out: nobody needs to write null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        return found
