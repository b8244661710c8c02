"""Names of the wire's parameters as fields of the contract, for errors that name a parameter."""

import re
from collections.abc import Mapping
from typing import Final

# By the path without indices, the longest first. What is not listed is called the same on both sides.
_FIELDS: Final[Mapping[str, str]] = {
    "generation_config.max_output_tokens": "max_output_tokens",
    "generation_config.candidate_count": "choice_count",
    "generation_config.stop_sequences": "stop",
    "generation_config.response_logprobs": "logprobs",
    "generation_config.logprobs": "top_logprobs",
    "generation_config.response_json_schema": "response_format.schema",
    "generation_config.response_schema": "response_format.schema",
    "generation_config.response_mime_type": "response_format.kind",
    "generation_config.response_modalities": "output_modalities",
    "generation_config.speech_config": "audio_output",
    "generation_config.thinking_config": "reasoning",
    "generation_config": "",
    "tool_config": "tool_choice",
    "service_tier": "service_tier",
    "labels": "metadata",
    "tools": "tools",
    # Contents and messages are not numbered alike.
    "contents": "messages",
    "system_instruction": "messages",
}
_WORD_START: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_INDEX: Final = re.compile(r"\[\d+\]|\.\d+(?=\.|$)")


def contract_field(path: str) -> str:
    """The contract's name for a parameter such as "generation_config.top_p" or "contents[1].parts[0]"."""
    plain = _INDEX.sub("", _WORD_START.sub(lambda found: f"_{found[1].lower()}", path))
    for wire, field in _FIELDS.items():
        if plain == wire or plain.startswith(f"{wire}."):
            rest = plain.removeprefix(wire).removeprefix(".")
            return field or rest or wire
    return plain
