"""What only the Responses wire has, merged into the wire objects that it belongs to."""

from collections.abc import Mapping
from typing import Final

import orjson

from trunkline_server.dialects import extensions as shared
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_responses.names import DIALECT
from trunkline_server.dialects.translation import Translation

_INCLUDE: Final = "include"
_BACKGROUND: Final = "background"


def merge_extensions(wire: Json, extensions: Mapping[str, str], path: str, translation: Translation) -> None:
    """Merges those for this dialect or the target's kind of provider; see `dialects.extensions`."""
    shared.merge_extensions(wire, extensions, path, translation, DIALECT)


def merge_request_extensions(body: Json, extensions: Mapping[str, str], translation: Translation) -> None:
    """The same for the request itself: what is to be included adds up, and no answer is waited for elsewhere."""
    merge_extensions(body, {name: _without_include(extensions[name], body) for name in extensions}, "", translation)
    if body.get(_BACKGROUND):
        field = next((name for name in extensions if f'"{_BACKGROUND}"' in extensions[name]), DIALECT)
        raise translation.refusal(
            f"extensions[{field}].{_BACKGROUND}", "is not possible here: the gateway waits for answers"
        )


def _without_include(text: str, body: Json) -> str:
    """The extension without its `include`, which has been added to the body's."""
    if f'"{_INCLUDE}"' not in text:
        return text
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    wanted = members.pop(_INCLUDE, None) if isinstance(members, dict) else None
    if not isinstance(wanted, list):
        return text
    body[_INCLUDE] = list(dict.fromkeys([*body.get(_INCLUDE, ()), *wanted]))
    return orjson.dumps(members).decode()
