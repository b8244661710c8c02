"""The usage object of an answer as its provider wrote it."""

import json
import re
from typing import Final

import orjson

from trunkline_server.dialects.json_values import Json

_DECODER: Final = json.JSONDecoder()
_VALUE: Final = re.compile(r'"usage"[ \t\r\n]*:?[ \t\r\n]*')


def usage_text(raw: Json, source: bytes) -> str:
    """The text in `source` that `raw` was read from, so that no digit of it is lost."""
    compact = orjson.dumps(raw)
    if b'"usage":' + compact in source:  # most vendors write compact JSON: then it need not be read again
        return compact.decode()
    text = source.decode()
    at = len(text)
    while (at := text.rfind('"usage"', 0, at)) >= 0:
        start = _start_of_value(text, at)
        try:
            _, end = _DECODER.raw_decode(text, start)
            if orjson.loads(text[start:end]) == raw:
                return text[start:end]
        except (ValueError, RecursionError):
            continue  # not a member of that name, but words within a text
    return ""  # its name is spelled with escapes: not worth a JSON parser of our own


def _start_of_value(text: str, at: int) -> int:
    match = _VALUE.match(text, at)
    return at if match is None else match.end()
