"""JSON that came from outside, read without losing anything, and written as compact text.

orjson is fast but keeps the last of two members of one name and rounds numbers that 64 bits cannot hold. Most
clients send compact JSON, and then writing the value again gives the very bytes that came: nothing was lost. Only
where it does not is the text read a second time by the slower, exact reader.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline_bridge.errors import ParameterError

Json = dict[str, Any]
_Container = dict[str, Any] | list[Any]

# Texts of numbers up to this long come back the same from a double, whatever stands in them.
_SAFE_DIGITS: Final = 15
_LEAST, _MOST = -(2**63), 2**64 - 1
_PATH_STEPS: Final = 4
_NAME_CHARS: Final = 64


class _ExactFloat(float):
    """A number whose text says more than a double can."""

    text: str


class _ExactInt(int):
    """A whole number beyond 64 bits, which orjson would not write."""


class _Repeated(dict[str, Any]):
    """An object in which a member occurs twice."""

    name: str


def read_object(body: bytes, *, max_nesting: int) -> Json:
    """The object that a request body is.

    Raises InvalidRequestError for anything that is not one JSON object in UTF-8, nested deeper than `max_nesting`,
    or with a member twice; the latter two name the parameter.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # Not chained: the error holds the whole body.
        raise InvalidRequestError(_complaint(body, error)) from None
    if not isinstance(value, dict):
        raise InvalidRequestError("The request body must be a JSON object.")
    if body.count(b"{") + body.count(b"[") > max_nesting:  # with fewer brackets it cannot be deeper
        _check_depth(value, max_nesting)
    if orjson.dumps(value) == body:
        return value
    exact: Json = _read_exactly(body)
    if (path := _repeated(exact, ())) is not None:
        param = path_text(path)
        raise ParameterError(param, f"Invalid body: '{param}' occurs more than once.", code="duplicate_parameter")
    return exact


def read_members(text: str) -> Json:
    """The members of an object that the contract keeps as raw JSON, numbers exact; none if it is something else."""
    raw = text.encode()
    try:
        value = orjson.loads(raw)
        if not isinstance(value, dict):
            return {}
        return value if orjson.dumps(value) == raw else _read_exactly(raw)
    except orjson.JSONDecodeError:
        return {}


def compact(value: object) -> str:
    """The JSON text of a value that `read_object` gave, members in their order and numbers as they came."""
    return dump(value).decode()


def dump(value: object) -> bytes:
    """As `compact`, in UTF-8."""
    return orjson.dumps(value, default=_exact_text, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def path_text(path: tuple[str | int, ...]) -> str:
    """A path as OpenAI writes it, such as "messages[0].content", cut to a readable length."""
    text = ""
    for step in path[:_PATH_STEPS]:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step[:_NAME_CHARS]}" if text else step[:_NAME_CHARS]
    return text + ("..." if len(path) > _PATH_STEPS else "")


def _complaint(body: bytes, error: orjson.JSONDecodeError) -> str:
    if not body:
        return "The request body is empty; it must be a JSON object."
    try:
        body.decode()
    except UnicodeDecodeError as bad:
        return f"The request body is not valid UTF-8 at byte {bad.start}."
    return f"The request body is not valid JSON: {error}."


def _check_depth(value: Json, limit: int) -> None:
    level: list[_Container] = [value]
    depth = 0
    while level:
        depth += 1
        if depth > limit:
            param = path_text(_deepest(value, limit))
            message = f"Invalid '{param}': nested deeper than {limit} levels."
            raise ParameterError(param, message, code="nesting_too_deep")
        below: list[_Container] = []
        for container in level:
            below.extend(
                member
                for member in (container.values() if type(container) is dict else container)
                if type(member) is dict or type(member) is list
            )
        level = below


def _deepest(value: _Container, levels: int) -> tuple[str | int, ...]:
    """The path of a container below `levels` others."""
    for step, member in _containers(value):
        if levels == 1:
            return (step,)
        if found := _deepest(member, levels - 1):
            return (step, *found)
    return ()


def _repeated(value: _Container, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    if isinstance(value, _Repeated):
        return (*path, value.name)
    for step, member in _containers(value):
        if (found := _repeated(member, (*path, step))) is not None:
            return found
    return None


def _containers(value: _Container) -> Iterator[tuple[str | int, _Container]]:
    for step, member in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(member, dict | list):
            yield step, member


def _read_exactly(body: bytes) -> Json:
    """`body` is known to be a JSON object of bounded depth."""
    exact: Json = _EXACT.decode(body.decode())
    return exact


def _members(pairs: list[tuple[str, Any]]) -> Json:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeated = _Repeated(members)
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            repeated.name = name
            break
        seen.add(name)
    return repeated


def _float(text: str) -> float:
    value = float(text)
    if len(text) <= _SAFE_DIGITS or repr(value) == text:
        return value
    exact = _ExactFloat(value)
    exact.text = text
    return exact


def _int(text: str) -> int:
    value = int(text)
    return value if _LEAST <= value <= _MOST else _ExactInt(value)


def _exact_text(value: object) -> orjson.Fragment:
    match value:
        case _ExactFloat():
            return orjson.Fragment(value.text)
        case _ExactInt():
            return orjson.Fragment(int.__repr__(value))
        case _:
            raise TypeError(f"{type(value).__name__} is not JSON")


_EXACT: Final = json.JSONDecoder(object_pairs_hook=_members, parse_float=_float, parse_int=_int)
