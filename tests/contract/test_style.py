"""Rules of CONTRIBUTING.md that no linter knows."""

import ast
import io
import re
import tokenize

import pytest

from repository import ROOT, handwritten_files, pyproject

PYTHON = [str(path) for path in handwritten_files(".py", ".pyi")]

EXEMPTION = re.compile(r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w, -]+\])?)")

# What leaves a test out; those that take the reason as their first argument are true.
SKIPS = {
    "pytest.mark.skip": False,
    "pytest.mark.skipif": False,
    "pytest.mark.xfail": False,
    "pytest.skip": True,
    "pytest.xfail": True,
}


def unexplained_exemptions(source: str) -> list[int]:
    """Lines that silence a tool without a word on why."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    exempting = [(line, comment) for line, comment in comments if EXEMPTION.search(comment)]
    return [line for line, comment in exempting if not EXEMPTION.sub("", comment).strip(" #")]


def unexplained_skips(source: str) -> list[int]:
    """Lines that leave a test out without a reason."""
    nodes = list(ast.walk(ast.parse(source)))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    explained = {id(call.func) for call in calls if _gives_reason(call)}
    skips = [node for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node) in SKIPS]
    return [node.lineno for node in skips if id(node) not in explained]


def _gives_reason(call: ast.Call) -> bool:
    by_keyword = any(keyword.arg == "reason" for keyword in call.keywords)
    return by_keyword or (SKIPS.get(ast.unparse(call.func), False) and bool(call.args))


@pytest.mark.parametrize("path", PYTHON)
def test_every_exemption_says_why(path: str) -> None:
    assert unexplained_exemptions((ROOT / path).read_text()) == []


@pytest.mark.parametrize("path", [path for path in PYTHON if path.startswith("tests/")])
def test_every_skip_says_why(path: str) -> None:
    assert unexplained_skips((ROOT / path).read_text()) == []


def test_every_rule_that_is_off_says_why() -> None:
    lint = pyproject()["tool"]["ruff"]["lint"]
    off = {code for codes in (lint["ignore"], *lint["per-file-ignores"].values()) for code in codes}
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    explained = {code for code in off for line in lines if f'"{code}"' in line and "  # " in line}
    assert off - explained == set()


@pytest.mark.parametrize(
    ("comment", "lines"),
    [
        ("# noqa", [1]),
        ("# noqa: S104", [1]),
        ("# noqa: S104, E501", [1]),
        ("# type: ignore[misc]", [1]),
        ("# type: ignore[misc]  # noqa: S104", [1]),
        ("# noqa: S104 nothing binds to it", []),
        ("# type: ignore[misc]  # the stubs lag behind", []),
        ("# a word about noqa", []),
    ],
)
def test_an_exemption_without_a_reason_would_be_seen(comment: str, lines: list[int]) -> None:
    assert unexplained_exemptions(f"x = 1  {comment}\n") == lines


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("@pytest.mark.skip\ndef test(): ...", [1]),
        ("pytest.mark.skipif(True)", [1]),
        ("pytest.skip()", [1]),
        ("pytest.skip('no engine is installed')", []),
        ("pytest.mark.xfail(reason='grpc/grpc#1')", []),
    ],
)
def test_a_skip_without_a_reason_would_be_seen(statement: str, lines: list[int]) -> None:
    assert unexplained_skips(statement) == lines
