"""JSON that comes and goes without loss."""

import json
import re
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_bridge.errors import ParameterError
from trunkline_bridge.json_text import compact, path_text, read_members, read_object


def read(body: bytes) -> dict[str, Any]:
    return read_object(body, max_nesting=10)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), values, max_size=4).filter(
    # Surrogates are no text: orjson refuses them, and so do we.
    lambda found: not re.search(r"\\ud[89a-f]", json.dumps(found)) or _is_text(found)
)


def _is_text(found: object) -> bool:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@given(objects, st.sampled_from([None, 1]), st.booleans())
def test_whatever_the_spacing_and_escapes_the_value_is_the_same(
    found: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    body = json.dumps(found, indent=indent, ensure_ascii=ascii_only).encode()
    assert read_object(body, max_nesting=100) == found


@given(objects)
def test_an_exact_value_is_written_as_it_came(found: dict[str, Any]) -> None:
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    # A space makes the exact reader read it.
    assert json.loads(compact(read_object(text.encode() + b" ", max_nesting=100))) == found


@pytest.mark.parametrize(
    "number",
    [
        "18446744073709551616",
        "-9223372036854775809",
        "123456789012345678901234567890.5",
        "0.10000000000000000000000000001",
        "1.00000000000000000e-10",
        "9007199254740993",
        "1e5",
        "0.1",
        "9" * 300,
    ],
)
def test_no_number_changes_its_value_on_the_way_through(number: str) -> None:
    text = compact(read(b'{"a":{"b":[%b]}}' % number.encode()))
    passed = re.sub(r"[^-+.e0-9]", "", text.removeprefix('{"a":{"b":['))
    assert _exactly(passed) == _exactly(number)


def _exactly(number: str) -> object:
    return json.loads(number, parse_float=Decimal)


def test_compact_keeps_the_order_of_members() -> None:
    assert compact(read(b'{"z": 1, "a": {"y": 2, "b": 3}}')) == '{"z":1,"a":{"y":2,"b":3}}'


REPEATED = {
    b'{"a":1,"a":1}': "a",
    b'{"a" :1, "a":2}': "a",
    b'{"a":1,"\\u0061":2}': "a",
    b'{"x":[{"b":1},{"b":1,"c":[],"b":2}]}': "x[1].b",
    b'{"x":{"y":{"":1,"":2}}}': "x.y.",
    b'{"x\\\\":1,"y":"\\":","x\\\\":1}': "x\\",
}


@pytest.mark.parametrize(("body", "path"), REPEATED.items())
def test_a_member_that_occurs_twice_is_found_and_named(body: bytes, path: str) -> None:
    with pytest.raises(ParameterError) as caught:
        read(body)
    assert (caught.value.param, caught.value.openai_code) == (path, "duplicate_parameter")


@given(objects.filter(bool), st.data())
def test_no_repetition_escapes(found: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(found)))
    members = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in found.items()]
    members.insert(data.draw(st.integers(0, len(members))), f"{json.dumps(name)}:{json.dumps(found[name])}")
    with pytest.raises(ParameterError):
        read_object(f"{{{','.join(members)}}}".encode(), max_nesting=100)


def test_what_looks_like_members_inside_a_text_is_none() -> None:
    body = json.dumps({"a": '{"b":1,"b":2, "c" : 3}'}).encode()
    assert read(body) == orjson.loads(body)


def test_nesting_is_bounded_at_the_limit() -> None:
    deepest = b'{"a":' * 9 + b"[]" + b"}" * 9
    assert read(deepest) == orjson.loads(deepest)
    with pytest.raises(ParameterError) as caught:
        read(b'{"a":' * 10 + b"[]" + b"}" * 10)
    assert caught.value.openai_code == "nesting_too_deep"


def test_a_path_is_cut_to_a_readable_length() -> None:
    assert path_text(("messages", 0, "content", 1, "text")) == "messages[0].content[1]..."
    assert path_text(("x" * 100,)) == "x" * 64


@pytest.mark.parametrize("text", ["", "[1]", "nonsense", '{"a":1,"a":2'])
def test_what_is_no_object_has_no_members(text: str) -> None:
    assert read_members(text) == {}
