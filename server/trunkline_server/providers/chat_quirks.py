"""How a vendor's chat completions wire departs from OpenAI's, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

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

# The same for those who kept OpenAI's older name of the end user.
USER: Final[Mapping[str, str]] = {"safety_identifier": "user"}

NANO_USD: Final = 1_000_000_000


class ReportedCost(NamedTuple):
    """Where a provider says in `usage` what it bills."""

    path: tuple[str, ...]
    """The members that lead to the figure."""
    nano_usd: int = NANO_USD
    """What a figure of `per` stands for, in nano-USD."""
    per: int = 1


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
    required_choice: str = "required"
    """The word of tool_choice that demands a call. Empty: it cannot be demanded, and the model is left to choose."""
    allowed_tools: bool = False
    """Whether tool_choice can name several tools; else only those are offered."""
    custom_tools: bool = False
    """Whether tools may take free text."""
    json_object: bool = True
    """Whether response_format has `json_object`; else the schema of any object is sent."""
    json_schema: Literal["", "json_schema", "value"] = "json_schema"
    """How response_format gives a schema: in OpenAI's form or as TGI's grammar. Empty: it takes none."""
    service_tiers: frozenset[str] = frozenset()
    """Values of service_tier, if that is a member. Empty: whatever is asked for is passed on."""
    inputs: frozenset[str] = frozenset({"image", "audio"})
    """Content beside text that a prompt may hold: "image", "audio", "file", "video"."""
    document_urls: bool = False
    """Whether files go as `document_url`, by address too, instead of as `file`."""
    image_urls: bool = True
    """Whether it fetches images by address; else they must come as bytes."""
    image_details: frozenset[str] = frozenset({"auto", "low", "high"})
    """Values of image_url.detail."""
    efforts: tuple[str, ...] = ALL_EFFORTS
    """Values of reasoning_effort, in the order of ALL_EFFORTS."""
    reasoning_form: Literal["effort", "thinking", "enabled", "object"] = "effort"
    """How thinking is asked for: by `reasoning_effort` alone; by that and a switch for thinking at all, which is
    `thinking.type` or `reasoning.enabled`; or by an object `reasoning` that holds all."""
    reasoning_member: Literal["", "reasoning", "reasoning_content", "content"] = ""
    """Where an assistant message gives earlier reasoning back; "content": as `thinking` entries of a list. Empty:
    nowhere."""
    reasoning_details: bool = False
    """Whether reasoning comes with `reasoning_details`, of which each entry must come back as it was."""
    reasoning_with_calls: bool = False
    """Whether an assistant message with tool calls is refused without reasoning."""
    call_id_chars: int = 0
    """How many letters and digits the id of a tool call must have. 0: any id will do."""
    cache_breakpoints: bool = False
    """Whether parts may carry `prompt_cache_breakpoint`."""
    max_stops: int = 0
    """Most texts in `stop`. 0: no limit is known."""
    cost: ReportedCost | None = None
    """Where its usage tells what it bills. None: nowhere that is known."""


STRANGER: Final = ChatQuirks()
"""What is expected of a provider of which nothing is known."""
