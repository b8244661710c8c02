"""The smallest arguments that fit a JSON Schema, always the same for the same schema."""

from typing import Any, Final

_MAX_DEPTH: Final = 16
_UNIONS: Final = ("anyOf", "oneOf", "allOf")


def smallest_value(schema: Any, root: Any = None, depth: int = 0) -> Any:  # noqa: ANN401 JSON values are anything
    """A value for `schema`: its constant, first choice or default, else the least that its type allows.

    It honours what models are usually told (types, required members, bounds, references within the schema) and makes
    no claim beyond that. `root` is the schema that references are looked up in; by default `schema` itself.
    """
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    root = schema if root is None else root
    if "const" in schema:
        return schema["const"]
    if isinstance(choices := schema.get("enum"), list) and choices:
        return choices[0]
    if "default" in schema:
        return schema["default"]
    if isinstance(reference := schema.get("$ref"), str):
        return smallest_value(_referred(root, reference), root, depth + 1)
    for union in _UNIONS:
        if isinstance(members := schema.get(union), list) and members:
            return smallest_value(members[0], root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: dict[str, Any], root: Any, depth: int) -> Any:  # noqa: ANN401 JSON values are anything
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    match kind:
        case "object":
            properties = schema.get("properties")
            members = properties if isinstance(properties, dict) else {}
            required = schema.get("required")
            names = required if isinstance(required, list) else []
            return {name: smallest_value(members.get(name), root, depth + 1) for name in names if isinstance(name, str)}
        case "array":
            return [smallest_value(schema.get("items"), root, depth + 1)] * _bounded(schema.get("minItems"), 8)
        case "string":
            return "x" * _bounded(schema.get("minLength"), 64)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return False
        case _:
            return None


def _number(schema: dict[str, Any]) -> float:
    bounds = {name: value for name, value in schema.items() if isinstance(value, int | float)}
    low = bounds.get("minimum", bounds.get("exclusiveMinimum", -1) + 1 if "exclusiveMinimum" in bounds else 0)
    high = bounds.get("maximum", bounds.get("exclusiveMaximum", 1) - 1 if "exclusiveMaximum" in bounds else low)
    return low if low > 0 else min(0, high)


def _bounded(value: object, most: int) -> int:
    return min(max(value, 0), most) if isinstance(value, int) else 0


def _referred(root: Any, reference: str) -> Any:  # noqa: ANN401 JSON values are anything
    found = root
    for step in reference.removeprefix("#").split("/")[1:]:
        found = found.get(step) if isinstance(found, dict) else None
    return found
