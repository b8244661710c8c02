"""Names of the wire's parameters as fields of the contract, for errors that name a parameter."""

import re
from collections.abc import Mapping
from typing import Final

# By the first step of the path. What is not listed is called the same on both sides.
_FIELDS: Final[Mapping[str, str]] = {
    "audio": "audio_output",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "modalities": "output_modalities",
    "n": "choice_count",
    "prompt": "messages",
    "prompt_cache_key": "prompt_cache.key",
    "prompt_cache_options": "prompt_cache",
    "random_seed": "seed",
    "reasoning_effort": "reasoning.effort",
    "repeat_penalty": "repetition_penalty",
    "safety_identifier": "end_user",
    "thinking_token_budget": "reasoning.budget_tokens",
    "user": "end_user",
}
# Messages by index keep it, though a message with several tool results is several on the wire.
_CONTENT: Final = re.compile(r"^(messages(?:\[\d+\]|\.\d+))\.content(\[\d+\]|\.\d+)?")
_FUNCTION: Final = re.compile(r"^(tools(?:\[\d+\]|\.\d+))\.(?:function|custom)\b")
_RESPONSE_FORMAT: Final = re.compile(r"^response_format\.json_schema\b")


def contract_field(param: str) -> str:
    """The contract's name for a parameter such as "messages[0].content[1]" or "max_tokens"."""
    first = re.split(r"[.\[]", param, maxsplit=1)[0]
    param = _FIELDS.get(first, first) + param[len(first) :]
    param = _CONTENT.sub(r"\1.parts\2", param)
    param = _FUNCTION.sub(r"\1", param)
    return _RESPONSE_FORMAT.sub("response_format", param)
