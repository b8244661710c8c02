"""Ids of tool calls in the form that this wire wants them in."""

import hashlib
import re
from typing import Final

from trunkline_server.dialects.translation import Translation

# https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")


def call_id(given: str, path: str, translation: Translation) -> str:
    """The id as it may be sent: the same for the same id, so that calls and results stay paired."""
    if _ID.fullmatch(given):
        return given
    found = f"call_{hashlib.blake2b(given.encode(), digest_size=12).hexdigest()}"
    translation.rewrite(path, "the provider wants ids of letters, digits, _ and -", found)
    return found
