"""JSON Schemas as Anthropic holds answers and calls to them: every object closed to members that it does not name."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from trunkline_server.dialects.json_values import Json

_CLOSED: Final = "additionalProperties"
# Where schemas stand within a schema: under names of their own, in a list, or alone.
_NAMED: Final = ("properties", "$defs", "definitions")
_LISTED: Final = ("anyOf", "allOf", "oneOf", "prefixItems")
_ALONE: Final = ("items", "not")


class ClosedSchema(NamedTuple):
    """A schema whose objects are all closed."""

    wire: orjson.Fragment | Json
    """Byte for byte as it was given, unless objects had to be closed."""
    changed: bool


def closed_schema(text: str) -> ClosedSchema | None:
    """The schema with `additionalProperties: false` where nothing is said of it; None if it says otherwise somewhere.

    https://platform.claude.com/docs/en/build-with-claude/structured-outputs
    """
    schema = orjson.loads(text or "{}")
    if not isinstance(schema, dict):
        return None
    found = _Closing()
    found.close(schema)
    if found.open:
        return None
    return ClosedSchema(schema if found.changed else orjson.Fragment(text or "{}"), found.changed)


class _Closing:
    """Closes objects in place, and remembers what it met."""

    def __init__(self) -> None:
        self.changed = False
        self.open = False

    def close(self, schema: Any) -> None:  # noqa: ANN401 what stands in a client's schema may be anything
        """One schema and all within it."""
        if not isinstance(schema, dict):
            return
        if _is_object(schema):
            if _CLOSED not in schema:
                schema[_CLOSED] = False
                self.changed = True
            elif schema[_CLOSED] is not False:
                self.open = True
        for name in _NAMED:
            inner = schema.get(name)
            for one in inner.values() if isinstance(inner, dict) else ():
                self.close(one)
        for name in _LISTED:
            inner = schema.get(name)
            for one in inner if isinstance(inner, list) else ():
                self.close(one)
        for name in _ALONE:
            self.close(schema.get(name))


def _is_object(schema: Mapping[str, object]) -> bool:
    kind = schema.get("type")
    return (
        kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in schema)
    )
