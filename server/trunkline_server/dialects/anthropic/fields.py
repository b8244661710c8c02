"""Names of the wire's parameters as fields of the contract, for errors that name a parameter."""

import re
from collections.abc import Mapping
from typing import Final

# By the path without indices, the longest first. What is not listed is called the same on both sides.
_FIELDS: Final[Mapping[str, str]] = {
    "output_config.effort": "reasoning.effort",
    "output_config.format": "response_format",
    "thinking": "reasoning",
    "max_tokens": "max_output_tokens",
    "stop_sequences": "stop",
    "metadata.user_id": "end_user",
    "cache_control": "prompt_cache",
    "speed": "service_tier",
    "tool_choice": "tool_choice",
    "tools": "tools",
    # Turns and messages are not numbered alike.
    "messages": "messages",
    "system": "messages",
}
_PATH: Final = re.compile(r"([a-z_]+(?:\.[A-Za-z0-9_-]+)*): ")
_INDEX: Final = re.compile(r"\.\d+(?=\.|$)")


def field_in(said: str) -> str:
    """The contract's name for the parameter that an error's message begins with; empty if it begins with none."""
    found = _PATH.match(said)
    if found is None:
        return ""
    plain = _INDEX.sub("", found[1])
    return next((field for wire, field in _FIELDS.items() if plain == wire or plain.startswith(f"{wire}.")), plain)
