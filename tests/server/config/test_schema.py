"""The JSON Schema of the configuration, and the documentation that is written from it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from config_files import load_text
from golden_files import check_golden
from repository import ROOT
from trunkline_server.config.schema import DIALECT, json_schema
from trunkline_server.config.settings import Settings

PAGE = ROOT / "docs" / "configuration.md"

# Those of https://json-schema.org/draft/2020-12/schema that may occur here, and what each holds.
KEYWORDS: dict[str, type | tuple[type, ...]] = {
    "$defs": dict,
    "$ref": str,
    "$schema": str,
    "additionalProperties": (bool, dict),
    "default": object,
    "description": str,
    "enum": list,
    "exclusiveMinimum": (int, float),
    "items": dict,
    "maxLength": int,
    "maximum": (int, float),
    "minItems": int,
    "minLength": int,
    "minimum": (int, float),
    "pattern": str,
    "patternProperties": dict,
    "properties": dict,
    "propertyNames": dict,
    "required": list,
    "title": str,
    "type": str,
    "writeOnly": bool,
}
TYPES = {"array", "boolean", "integer", "number", "object", "string"}


def schemas(at: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and every schema in it."""
    yield at
    for keyword in ("$defs", "properties", "patternProperties"):
        for inner in at.get(keyword, {}).values():
            yield from schemas(inner)
    for keyword in ("items", "additionalProperties", "propertyNames"):
        if isinstance(at.get(keyword), dict):
            yield from schemas(at[keyword])


def test_it_is_a_schema_of_draft_2020_12() -> None:
    whole = json_schema()
    assert whole["$schema"] == DIALECT
    for schema in schemas(whole):
        assert {name: value for name, value in schema.items() if not isinstance(value, KEYWORDS[name])} == {}
        assert schema.get("type", "object") in TYPES
        assert schema.get("$ref", "#/$defs/Limits").removeprefix("#/$defs/") in whole["$defs"]
        assert set(schema.get("required", ())) <= schema.get("properties", {}).keys()
        for pattern in (schema.get("pattern", ""), *schema.get("patternProperties", {})):
            re.compile(pattern)


def test_every_setting_is_described() -> None:
    whole = json_schema()
    mappings = [whole, *whole["$defs"].values()]
    named = {name: field for mapping in mappings for name, field in mapping["properties"].items()}
    described = {**{name: resolve(whole, field) for name, field in named.items()}}
    assert [name for name, field in described.items() if not field.get("description")] == []


def test_the_paths_of_all_settings_are_known(tmp_path: Path) -> None:
    """A setting that is renamed or lost breaks every file that uses it: the golden file shows it in review."""
    whole = json_schema()
    check_golden(Path(__file__).parent / "schema_paths.txt", "".join(f"{path}\n" for path in paths(whole, whole, "")))


def paths(whole: dict[str, Any], at: dict[str, Any], path: str) -> Iterator[str]:
    at = resolve(whole, at)
    if path:
        yield f"{path}: {at.get('type')}"
    for name, field in at.get("properties", {}).items():
        yield from paths(whole, field, f"{path}.{name}" if path else name)
    if "items" in at:
        yield from paths(whole, at["items"], f"{path}[]")
    for inner in (at.get("additionalProperties"), *at.get("patternProperties", {}).values()):
        if isinstance(inner, dict):
            yield from paths(whole, inner, f"{path}.*")


def resolve(whole: dict[str, Any], at: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in at:
        return at
    found: dict[str, Any] = whole["$defs"][at["$ref"].removeprefix("#/$defs/")]
    return found


def test_the_defaults_are_those_of_the_settings(tmp_path: Path) -> None:
    defaults = {name: field["default"] for name, field in json_schema()["properties"].items() if "default" in field}
    assert load_text(tmp_path, yaml.safe_dump(defaults)) == Settings()


def test_the_tables_of_the_documentation_are_up_to_date() -> None:
    script = ROOT / "scripts" / "gen_settings_table.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_files_of_the_documentation_are_right(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        load_text(tmp_path, block.replace("sha256:6f1a…", "sha256:" + "0" * 64), {"VERTEX_API_KEY": "k"})
