"""The provider table: one row for each kind of vendor or engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trunkline_server.providers.chat_quirks import COMMON_MEMBERS, MAX_TOKENS, OPENAI_MEMBERS, STRANGER, ChatQuirks


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind:
    """What all providers of one kind have in common."""

    name: str
    dialect: str
    """The wire language it speaks; a name in `trunkline_server.dialects`."""
    base_url: str = ""
    """Its own address; empty: the configuration must give one."""
    api_key_env: str = ""
    """The environment variable its credential usually stands in; empty: none is usual."""
    transport: str = "http"
    """How it is reached: "http", or "echo" for the one inside this process."""
    telemetry_name: str = ""
    """The value of gen_ai.provider.name. Empty: `name`, which the conventions allow for those they do not list."""
    local: bool = False
    """Whether it is an engine that usually runs beside the gateway, at `base_url`, without a credential."""
    chat: ChatQuirks = STRANGER
    """How it departs from OpenAI, if it speaks `openai_chat`."""


# https://platform.openai.com/docs/api-reference/chat/create
_OPENAI_CHAT: Final = ChatQuirks(
    members=OPENAI_MEMBERS,
    spellings={},
    developer_role=True,
    refusal=True,
    allowed_tools=True,
    custom_tools=True,
    inputs=frozenset({"image", "audio", "file"}),
    image_details=frozenset({"auto", "low", "high", "original"}),
    cache_breakpoints=True,
    max_stops=4,
)

# https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
_VLLM_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS | {"include_reasoning", "min_p", "repetition_penalty", "thinking_token_budget", "top_k"},
    inputs=frozenset({"image", "audio", "video"}),
    efforts=("none", "low", "medium", "high"),
    reasoning_member="reasoning",
)

# https://docs.ollama.com/api/openai-compatibility lists what it reads; the rest it ignores in silence.
_OLLAMA_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS - {"logit_bias", "logprobs", "n", "parallel_tool_calls", "tool_choice", "top_logprobs"},
    inputs=frozenset({"image"}),
    image_urls=False,
    efforts=("none", "low", "medium", "high"),
    reasoning_member="reasoning",
)

# https://github.com/ggml-org/llama.cpp/tree/master/tools/server: a tool_choice object is read as "auto" in silence.
_LLAMACPP_CHAT: Final = ChatQuirks(
    members=(COMMON_MEMBERS - {"reasoning_effort"}) | {"min_p", "repetition_penalty", "top_k"},
    spellings={**MAX_TOKENS, "repetition_penalty": "repeat_penalty"},
    named_tool_choice=False,
    reasoning_member="reasoning_content",
)

# https://lmstudio.ai/docs/developer/openai-compat/chat-completions; it answers 400 to a tool_choice object and to
# json_object (https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/670 and 189).
_LMSTUDIO_CHAT: Final = ChatQuirks(
    members=(COMMON_MEMBERS - {"logprobs", "n", "parallel_tool_calls", "reasoning_effort", "top_logprobs"})
    | {"repetition_penalty", "top_k"},
    spellings={**MAX_TOKENS, "repetition_penalty": "repeat_penalty"},
    named_tool_choice=False,
    json_object=False,
    inputs=frozenset({"image"}),
    image_urls=False,
)

# Understands all there is, so that a demonstration is never refused for its provider's sake.
_ECHO_CHAT: Final = ChatQuirks(
    members=OPENAI_MEMBERS | {"min_p", "repetition_penalty", "top_k"},
    spellings={},
    developer_role=True,
    refusal=True,
    allowed_tools=True,
    custom_tools=True,
    inputs=frozenset({"image", "audio", "file", "video"}),
    image_details=frozenset({"auto", "low", "high", "original"}),
    reasoning_member="reasoning_content",
    cache_breakpoints=True,
)

_ROWS: Final = (
    ProviderKind(
        name="openai",
        dialect="openai_chat",
        base_url="https://api.openai.com/v1",
        api_key_env="OPENAI_API_KEY",
        telemetry_name="openai",
        chat=_OPENAI_CHAT,
    ),
    ProviderKind(name="openai_compatible", dialect="openai_chat"),
    ProviderKind(name="vllm", dialect="openai_chat", base_url="http://127.0.0.1:8000/v1", local=True, chat=_VLLM_CHAT),
    ProviderKind(
        name="ollama", dialect="openai_chat", base_url="http://127.0.0.1:11434/v1", local=True, chat=_OLLAMA_CHAT
    ),
    ProviderKind(
        name="llamacpp", dialect="openai_chat", base_url="http://127.0.0.1:8080/v1", local=True, chat=_LLAMACPP_CHAT
    ),
    ProviderKind(
        name="lmstudio", dialect="openai_chat", base_url="http://127.0.0.1:1234/v1", local=True, chat=_LMSTUDIO_CHAT
    ),
    ProviderKind(name="echo", dialect="openai_chat", transport="echo", base_url="echo:", chat=_ECHO_CHAT),
)

KINDS: Final[Mapping[str, ProviderKind]] = {row.name: row for row in _ROWS}
"""All rows by name."""
