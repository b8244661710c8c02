"""Whatever a file holds, reading it ends in settings or in a ConfigError."""

import re
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config_files import load_text
from trunkline_server.config.errors import ConfigError
from trunkline_server.config.schema import json_schema
from trunkline_server.config.settings import Settings

LINE = re.compile(r".*trunkline\.yaml(:\d+:\d+)?: .+")
NAMES = sorted({name for part in json_schema()["$defs"].values() for name in part["properties"]} | {"rest", "models"})

# Pieces that YAML and substitution are made of, so that random text is often nearly a configuration.
PIECES = st.sampled_from(
    (
        *NAMES,
        *(": ", ":", "- ", "? ", ", ", "[", "]", "{", "}", "|", ">", "'", '"', "# ", "~", "---", "...", "%YAML"),
        *("\n", "\n  ", "\n    ", "\t", "&a ", "*a", "<<", "!!str ", "!x ", "\\U00110000", "0x1", "1e999"),
        *("${A}", "${A:-b}", "${", "$${"),
    )
)
NEARLY_YAML = st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(NAMES)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(folder: Path, text: str | bytes) -> Settings | list[str]:
    try:
        return load_text(folder, text, {"A": "x: {y: z}"})
    except ConfigError as error:
        return error.lines()


def check(found: Settings | list[str]) -> None:
    """It is settings, or at least one problem and each on a line of its own."""
    if not isinstance(found, Settings):
        assert found
        assert [line for line in found if not LINE.fullmatch(line)] == []


@FUZZ
@given(data=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    check(outcome(tmp_path, data))


@FUZZ
@given(text=NEARLY_YAML)
def test_any_text(tmp_path: Path, text: str) -> None:
    check(outcome(tmp_path, text))


@FUZZ
@given(tree=TREES)
def test_any_tree(tmp_path: Path, tree: object) -> None:
    check(outcome(tmp_path, yaml.safe_dump(tree, allow_unicode=True)))
