"""Ids of tool calls for providers that want them in a form of their own."""

import hashlib
import string
from typing import Final

from trunkline_server.dialects.translation import Translation

_ALPHABET: Final = string.digits + string.ascii_letters


def call_id(given: str, path: str, translation: Translation) -> str:
    """The id as the target's provider takes it: the same for the same id, so that calls and results stay paired."""
    chars = translation.target.provider.kind.chat.call_id_chars
    if not chars or (len(given) == chars and given.isascii() and given.isalnum()):
        return given
    number = int.from_bytes(hashlib.blake2b(given.encode(), digest_size=16).digest())
    found = ""
    while len(found) < chars:
        number, digit = divmod(number, len(_ALPHABET))
        found += _ALPHABET[digit]
    translation.rewrite(path, f"the provider wants ids of {chars} letters and digits", found)
    return found
