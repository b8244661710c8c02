"""How a vendor's copy of OpenAI's Responses API departs from it, as data."""

from dataclasses import dataclass
from typing import Final

from trunkline_server.providers.chat_quirks import ALL_EFFORTS, ReportedCost

# Optional members of the request body that nearly every copy of the wire understands. `model`, `input`, `tools`,
# `stream` and `store` are not optional and not listed.
COMMON_RESPONSES_MEMBERS: Final = frozenset(
    {
        "max_output_tokens",
        "parallel_tool_calls",
        "reasoning",
        "temperature",
        "text",
        "tool_choice",
        "top_p",
    }
)

# What the platform behind OpenAI's own API offers on top.
OPENAI_RESPONSES_MEMBERS: Final = COMMON_RESPONSES_MEMBERS | {
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "safety_identifier",
    "service_tier",
    "top_logprobs",
    "verbosity",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesQuirks:
    """What one kind of provider takes on `/responses`. The defaults are what a stranger can be trusted with."""

    members: frozenset[str] = COMMON_RESPONSES_MEMBERS
    """Optional members of the body that it understands (`verbosity` stands for `text.verbosity`). Others are left out
    with a note, or refused where leaving them out would change what is asked."""
    developer_role: bool = False
    """Whether it knows the role `developer`; else that is sent as `system`."""
    encrypted_reasoning: bool = False
    """Whether it can be asked for its reasoning encrypted, and takes that back."""
    plain_reasoning: bool = True
    """Whether it takes reasoning back as the text that it is."""
    summaries: bool = False
    """Whether it can be asked for summaries of its reasoning (`reasoning.summary`) and what context they have."""
    allowed_tools: bool = False
    """Whether tool_choice can name several tools; else only those are offered."""
    custom_tools: bool = False
    """Whether tools may take free text."""
    tool_groups: bool = False
    """Whether tools may stand in a namespace, and be deferred."""
    files: bool = False
    """Whether a prompt may hold files."""
    image_urls: bool = True
    """Whether it fetches images and files by address; else they must come as bytes."""
    efforts: tuple[str, ...] = ALL_EFFORTS
    """Values of reasoning.effort, in the order of ALL_EFFORTS."""
    cache_breakpoints: bool = False
    """Whether parts may carry `prompt_cache_breakpoint`."""
    counts_tokens: bool = False
    """Whether it counts the tokens of a request (`/responses/input_tokens`)."""
    cost: ReportedCost | None = None
    """Where its usage tells what it bills. None: nowhere that is known."""


RESPONSES_STRANGER: Final = ResponsesQuirks()
"""What is expected of a provider of which nothing is known."""

# https://platform.openai.com/docs/api-reference/responses and the types of the package openai 3.54.
OPENAI_RESPONSES: Final = ResponsesQuirks(
    members=OPENAI_RESPONSES_MEMBERS,
    developer_role=True,
    encrypted_reasoning=True,
    plain_reasoning=False,
    summaries=True,
    allowed_tools=True,
    custom_tools=True,
    tool_groups=True,
    files=True,
    cache_breakpoints=True,
    counts_tokens=True,
)
"""The API itself."""
