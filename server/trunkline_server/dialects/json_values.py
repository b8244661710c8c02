"""Reading JSON of which nothing is certain: what is not of the expected type makes a frame malformed."""

from typing import Any, Final

import orjson

from trunkline_server.dialects.dialect import MalformedFrameError

Json = dict[str, Any]

MAX_COUNT: Final = 2**63 - 1


def read_object(data: bytes) -> Json:
    """The JSON object that `data` is."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedFrameError("it is not JSON") from error
    if type(value) is not dict:
        raise MalformedFrameError("it is not a JSON object")
    return value


def text_in(holder: Json, name: str) -> str:
    """A member that is text; empty if it is null or absent."""
    value = holder.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise MalformedFrameError(f"{name} is not text")
    return value


def object_in(holder: Json, name: str) -> Json:
    """A member that is an object; empty if it is null or absent."""
    value = holder.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise MalformedFrameError(f"{name} is not an object")
    return value


def list_in(holder: Json, name: str) -> list[Any]:
    """A member that is a list; empty if it is null or absent."""
    value = holder.get(name)
    if value is None:
        return []
    if type(value) is not list:
        raise MalformedFrameError(f"{name} is not a list")
    return value


def objects_in(holder: Json, name: str) -> list[Json]:
    """A member that is a list of objects; empty if it is null or absent."""
    values = list_in(holder, name)
    if any(type(value) is not dict for value in values):
        raise MalformedFrameError(f"{name} holds something else than objects")
    return values


def count_in(holder: Json, name: str) -> int | None:
    """A member that counts something; None if it is absent or no such number, because a bad count spoils no answer."""
    value = holder.get(name)
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def json_text(value: object) -> str:
    """A value that was read from JSON as JSON again, compact."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        # orjson reads about a thousand levels but writes 254.
        raise MalformedFrameError("it is nested too deeply") from error
