"""What only one vendor has, merged into the wire objects that it belongs to."""

from collections.abc import Mapping
from typing import Final

import orjson

from trunkline.errors import InvalidRequestError
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.translation import FOREIGN, Translation

# A request says what is asked, never where it goes or with whose credentials.
RESERVED: Final = frozenset({"base_url", "api_key", "headers", "extra_headers"})


def merge_extensions(
    wire: Json, extensions: Mapping[str, str], path: str, translation: Translation, dialect: str
) -> None:
    """Merges the extensions that are meant for the target into `wire`, objects member by member.

    What the typed fields say wins, then what stands under the kind of provider, then under the dialect. `path` is
    the field that the extensions hang on, such as "messages[0].", or nothing for the request itself.
    """
    kind = translation.target.provider.kind.name
    for name in sorted(extensions):
        if name not in (kind, dialect):
            translation.drop(f"{path}extensions[{name}]", FOREIGN)
    for name in dict.fromkeys((kind, dialect)):
        if name in extensions:
            field = f"{path}extensions[{name}]"
            _merge(wire, _read(extensions[name], field), field, translation)


def _read(text: str, field: str) -> Json:
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:
        members = None
    if not isinstance(members, dict):
        raise InvalidRequestError.at_field(field, "is not a JSON object")
    for name in sorted(RESERVED & members.keys()):
        raise InvalidRequestError.at_field(
            f"{field}.{name}", "is reserved: addresses and credentials are the operator's"
        )
    return members


def _merge(wire: Json, members: Json, path: str, translation: Translation) -> None:
    for name, value in members.items():
        present = wire.get(name)
        if isinstance(present, dict) and isinstance(value, dict):
            _merge(present, value, f"{path}.{name}", translation)
        elif name not in wire:
            wire[name] = value
        elif present != value:
            translation.drop(f"{path}.{name}", "the request says otherwise in a field of its own")
