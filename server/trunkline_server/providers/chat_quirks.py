"""How a vendor's chat completions wire departs from OpenAI's, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# Optional members of the request body, in OpenAI's spelling, that nearly every copy of the wire understands. `model`,
# `messages`, `tools`, `stream` and `stream_options` are not optional and not listed.
COMMON_MEMBERS: Final = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "temperature",
        "tool_choice",
        "top_logprobs",
        "top_p",
    }
)

# What the platform behind OpenAI's own API offers on top; an engine does not know it, and a strict vendor refuses it.
OPENAI_MEMBERS: Final = COMMON_MEMBERS | {
    "audio",
    "metadata",
    "modalities",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "safety_identifier",
    "service_tier",
    "store",
    "verbosity",
}

# From no thinking to as much as the model can: the order in which a missing effort is replaced by a neighbour.
ALL_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

# The spelling of all but OpenAI itself, where max_tokens is deprecated and refused by reasoning models.
MAX_TOKENS: Final[Mapping[str, str]] = {"max_completion_tokens": "max_tokens"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatQuirks:
    """What one kind of provider takes on `/chat/completions`. The defaults are what a stranger can be trusted with."""

    members: frozenset[str] = COMMON_MEMBERS
    """Optional members of the body that it understands, in OpenAI's spelling (`top_k`, `min_p`, `repetition_penalty`,
    `include_reasoning` and `thinking_token_budget` in vLLM's). Others are left out with a note, or refused where
    leaving them out would change what is asked."""
    spellings: Mapping[str, str] = field(default_factory=lambda: MAX_TOKENS)
    """Its own names for such members, where they differ."""
    stream_usage: bool = True
    """Whether it takes stream_options.include_usage. Without it, it must tell the usage of a stream unasked."""
    developer_role: bool = False
    """Whether it knows the role `developer`; else that is sent as `system`."""
    refusal: bool = False
    """Whether an assistant message may hold `refusal`; else the words are sent as text."""
    named_tool_choice: bool = True
    """Whether one tool can be forced by name; else only that tool is offered and some call is required."""
    allowed_tools: bool = False
    """Whether tool_choice can name several tools; else only those are offered."""
    custom_tools: bool = False
    """Whether tools may take free text."""
    json_object: bool = True
    """Whether response_format has `json_object`; else the schema of any object is sent."""
    inputs: frozenset[str] = frozenset({"image", "audio"})
    """Content beside text that a prompt may hold: "image", "audio", "file", "video"."""
    image_urls: bool = True
    """Whether it fetches images by address; else they must come as bytes."""
    image_details: frozenset[str] = frozenset({"auto", "low", "high"})
    """Values of image_url.detail."""
    efforts: tuple[str, ...] = ALL_EFFORTS
    """Values of reasoning_effort, in the order of ALL_EFFORTS."""
    reasoning_member: str = ""
    """Where an assistant message gives earlier reasoning back: "reasoning" or "reasoning_content". Empty: nowhere."""
    cache_breakpoints: bool = False
    """Whether parts may carry `prompt_cache_breakpoint`."""
    max_stops: int = 0
    """Most texts in `stop`. 0: no limit is known."""


STRANGER: Final = ChatQuirks()
"""What is expected of a provider of which nothing is known."""
