"""Names of the wire's parameters as fields of the contract, for errors that name a parameter."""

import re
from collections.abc import Mapping
from typing import Final

# By the path without indices, the longest first. What is not listed is called the same on both sides.
_FIELDS: Final[Mapping[str, str]] = {
    "text.format.schema": "response_format.schema",
    "text.format.name": "response_format.name",
    "text.format.type": "response_format.kind",
    "text.format": "response_format",
    "text.verbosity": "verbosity",
    "text": "response_format",
    "reasoning.summary": "reasoning.display",
    "prompt_cache_key": "prompt_cache.key",
    "prompt_cache_options.ttl": "prompt_cache.ttl_s",
    "prompt_cache_options": "prompt_cache",
    "safety_identifier": "end_user",
    "user": "end_user",
    # Items and messages are not numbered alike.
    "input": "messages",
    "instructions": "messages",
    "include": "extensions",
}
_INDEX: Final = re.compile(r"\[\d+\]|\.\d+(?=\.|$)")


def contract_field(param: str) -> str:
    """The contract's name for a parameter such as "input[1].content[0].image_url" or "text.format.schema"."""
    plain = _INDEX.sub("", param)
    for wire, field in _FIELDS.items():
        if plain == wire or plain.startswith(f"{wire}."):
            return field
    return param
