"""Rewrite the tables in docs/configuration.md from the settings' own docstrings and defaults, and the provider table.

Usage:
    python scripts/gen_settings_table.py           rewrite the tables
    python scripts/gen_settings_table.py --check   fail if the tables are stale
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trunkline_server.config.schema import json_schema
from trunkline_server.providers.kinds import KINDS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
BEGIN = "<!-- settings: written by scripts/gen_settings_table.py -->"
END = "<!-- end of settings -->"

Schema = dict[str, Any]


def main(argument: str = "") -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        sys.exit(f"{PAGE.name} lacks the line {BEGIN} or the line {END}")
    fresh = f"{head}{BEGIN}\n\n{tables(json_schema())}\n{kinds()}\n{END}{tail}"
    if argument == "--check":
        if fresh != page:
            sys.exit(f"stale: {PAGE.name}, run python scripts/gen_settings_table.py")
    else:
        PAGE.write_text(fresh, encoding="utf-8")


def tables(schema: Schema) -> str:
    """One table for the top level and one for each mapping of settings."""
    return "\n".join(text for path, at in sections(schema, schema, "") for text in table(schema, path, at))


def kinds() -> str:
    """The table of provider kinds."""
    rows = [f"| `{kind.name}` | {_code(kind.base_url)} | {_code(kind.api_key_env)} |" for kind in KINDS.values()]
    return "\n".join(["### Kinds of providers", "", "| kind | address | usual variable |", "|---|---|---|", *rows, ""])


def _code(text: str) -> str:
    return f"`{text}`" if text else "none"


def sections(schema: Schema, at: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every mapping of settings with its path, in the order of the settings."""
    yield path, at
    for name, field in at["properties"].items():
        below = f"{path}.{name}" if path else name
        if "$ref" in field:
            yield from sections(schema, resolved(schema, field), below)
        elif "$ref" in field.get("items", {}):
            yield from sections(schema, resolved(schema, field["items"]), f"{below}[]")
        elif inner := entries(field):
            yield from sections(schema, resolved(schema, inner), f"{below}.NAME")


def table(schema: Schema, path: str, at: Schema) -> Iterator[str]:
    """The lines of one table; fields that are mappings of their own have one of theirs."""
    yield f"### {f'`{path}`' if path else 'Top level'}\n\n{at['description']}\n"
    yield "| setting | type | default | meaning |\n|---|---|---|---|"
    for name, field in at["properties"].items():
        if "$ref" not in field:
            default = "required" if name in at.get("required", ()) else shown_default(field)
            meaning = " ".join(field["description"].split()).replace("|", "\\|")
            yield f"| `{name}` | {type_of(schema, field)} | {default} | {meaning} |"
    yield ""


def resolved(schema: Schema, field: Schema) -> Schema:
    """What a reference refers to."""
    found: Schema = schema["$defs"][field["$ref"].rpartition("/")[2]]
    return found


def entries(field: Schema) -> Schema | None:
    """The schema of the entries of a mapping whose names the operator chooses, if they are mappings themselves."""
    inner = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), None)
    return inner if isinstance(inner, dict) and "$ref" in inner else None


def type_of(schema: Schema, field: Schema) -> str:
    """The type in words, with its limits."""
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    match field["type"]:
        case "array":
            inner = field["items"]
            return "list of mappings" if "$ref" in inner else f"list of {type_of(schema, inner)}"
        case "object":
            return "mapping of names to mappings" if entries(field) else "mapping of text to text"
        case "string":
            return "text"
        case "integer":
            return f"whole number{limits(field)}"
        case "number":
            return f"number{limits(field)}"
        case "boolean":
            return "true or false"
        case other:
            raise ValueError(f"no words for the type {other}")


def limits(field: Schema) -> str:
    """What a number may be."""
    words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
    found = [f"{text} {field[name]}" for name, text in words.items() if name in field]
    return f", {', '.join(found)}" if found else ""


def shown_default(field: Schema) -> str:
    """The default as it would be written."""
    if "default" not in field and field["type"] != "object":
        return "unset"
    default = field.get("default", {})
    return "empty" if default in ("", [], {}) else f"`{json.dumps(default)}`"


if __name__ == "__main__":
    main(*sys.argv[1:])
