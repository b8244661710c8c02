"""Environment variables in values."""

from pathlib import Path

import pytest

from config_files import load_text
from trunkline_server.config.substitution import SubstitutionError, substitute

ENVIRONMENT = {"A": "alpha", "B2_": "beta", "EMPTY": "", "NESTED": "${A} $${A}", "YAML": "x}\nrest: {port: 1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A $ {A} $", "$A $ {A} $"),
        ("${A}", "alpha"),
        ("<${A}${B2_}>", "<alphabeta>"),
        ("${A:-x}", "alpha"),
        ("${C:-x y: z}", "x y: z"),
        ("${C:-}", ""),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY:-}", ""),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("${NESTED}", "${A} $${A}"),
    ],
)
def test_references_are_replaced(text: str, expected: str) -> None:
    assert substitute(text, ENVIRONMENT) == expected


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${A", "${A-x}", "${A:=x}", "${A:-${B2_}}", "${A }", "${ä}"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(SubstitutionError, match="is written"):
        substitute(text, ENVIRONMENT)


def test_every_missing_variable_is_told() -> None:
    with pytest.raises(SubstitutionError) as caught:
        substitute("${X} ${A} ${EMPTY} ${lower_case}", ENVIRONMENT)
    assert caught.value.messages == (
        "the environment variable X is not set",
        "the environment variable EMPTY is empty: write ${EMPTY:-} if that is meant",
        "the environment variable lower_case is not set",
    )


def test_a_value_cannot_bring_structure(tmp_path: Path) -> None:
    text = "keys:\n- name: a\n  digest: sha256:" + "0" * 64 + "\n  project: x${YAML:-}y\n  team: '${NULL}'\n"
    environment = {"YAML": "}, rest: {port: 1", "NULL": "null"}
    settings = load_text(tmp_path, text, environment)
    assert (settings.keys[0].project, settings.keys[0].team, settings.rest.port) == (
        "x}, rest: {port: 1y",
        "null",
        4000,
    )
