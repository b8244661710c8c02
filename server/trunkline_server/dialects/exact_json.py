"""JSON of an answer as text, with all the digits that the model wrote."""

import json
from typing import Any, Final

import orjson

from trunkline_server.dialects.json_values import json_text

_EXACT_DIGITS: Final = 18  # that orjson reads as the integer they are, whatever the sign


def exact_text(value: object, source: bytes, *path: str | int) -> str:
    """A value that stood in `source` under these names and numbers, as JSON text.

    `source` is looked at again only if a number has a fraction or is too large: read and written, it could lose digits.
    """
    if not _may_lose(value):
        return json_text(value)
    try:
        exact = json.loads(source, parse_float=_fragment, parse_int=_integer)
        for step in path:
            exact = exact[step]
        return orjson.dumps(exact).decode()
    except (ValueError, LookupError, TypeError, RecursionError):
        return json_text(value)


def _may_lose(value: object) -> bool:
    match value:
        case float():
            return True
        case dict():
            return any(map(_may_lose, value.values()))
        case list():
            return any(map(_may_lose, value))
        case _:
            return False


def _fragment(text: str) -> orjson.Fragment:
    return orjson.Fragment(text.encode())


def _integer(text: str) -> Any:  # noqa: ANN401 what json.loads takes is any value
    return int(text) if len(text) <= _EXACT_DIGITS else _fragment(text)
