"""Rows of the provider table for vendors that serve models of their own."""

from typing import Final

from trunkline_server.providers.chat_quirks import (
    COMMON_MEMBERS,
    MAX_TOKENS,
    OPENAI_MEMBERS,
    ChatQuirks,
    ReportedCost,
)
from trunkline_server.providers.kind import REQUEST_ID, RESPONSES, Prefill, ProviderKind
from trunkline_server.providers.responses_quirks import (
    COMMON_RESPONSES_MEMBERS,
    OPENAI_RESPONSES,
    ResponsesQuirks,
)

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

# https://docs.mistral.ai/api/endpoint/chat and the types of the package mistralai 3.7: a strict server, whose models
# think or do not, and whose templates want call ids of nine characters. A stream tells its usage unasked.
_MISTRAL_CHAT: Final = ChatQuirks(
    members=(COMMON_MEMBERS - {"logit_bias", "logprobs", "top_logprobs"})
    | {"metadata", "prediction", "prompt_cache_key", "repetition_penalty", "service_tier", "top_k"},
    spellings={**MAX_TOKENS, "seed": "random_seed"},
    stream_usage=False,
    required_choice="any",
    service_tiers=frozenset({"auto", "standard_only"}),
    inputs=frozenset({"image", "file"}),
    document_urls=True,
    efforts=("none", "high"),
    reasoning_member="content",
    call_id_chars=9,
)

# https://docs.cohere.com/docs/compatibility-api; its own API, which stands behind this one, has no such members.
_COHERE_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS - {"logit_bias", "logprobs", "n", "parallel_tool_calls", "top_logprobs"},
    named_tool_choice=False,
    inputs=frozenset({"image"}),
    efforts=("none", "high"),
)

# https://api-docs.deepseek.com/api/create-chat-completion and /guides/thinking_mode: while its models think, an assistant
# message that calls tools is refused without what they thought.
_DEEPSEEK_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS - {"logit_bias", "n", "parallel_tool_calls", "seed"},
    inputs=frozenset({"image"}),
    efforts=("low", "high", "max"),
    reasoning_form="thinking",
    reasoning_member="reasoning_content",
    reasoning_with_calls=True,
)

# https://docs.x.ai/docs/api-reference: 10,000,000,000 ticks are a dollar. Which of penalties, stop and efforts a model
# takes differs by model; what it refuses is its own answer.
_XAI_CHAT: Final = ChatQuirks(
    inputs=frozenset({"image"}),
    cost=ReportedCost(("cost_in_usd_ticks",), nano_usd=1, per=10),
)

# https://platform.moonshot.ai/docs/guide/migrating-from-openai-to-kimi: tool_choice has no "required".
_MOONSHOT_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS - {"logit_bias", "logprobs", "parallel_tool_calls", "top_logprobs"},
    named_tool_choice=False,
    required_choice="",
    inputs=frozenset({"image"}),
    reasoning_member="reasoning_content",
)

# https://docs.z.ai/api-reference/llm/chat-completion and the types of the package zai-sdk 0.2: tool_choice is a word. Most
# models hold no answer to a schema, and ignore one in silence.
_ZAI_CHAT: Final = ChatQuirks(
    members=frozenset(
        {
            "max_completion_tokens",
            "reasoning_effort",
            "response_format",
            "safety_identifier",
            "seed",
            "stop",
            "temperature",
            "tool_choice",
            "top_p",
        }
    ),
    spellings={**MAX_TOKENS, "safety_identifier": "user_id"},
    named_tool_choice=False,
    json_schema="",
    inputs=frozenset({"image"}),
    efforts=("minimal", "low", "medium", "high", "xhigh", "max"),
    reasoning_form="thinking",
    reasoning_member="reasoning_content",
)

# https://docs.perplexity.ai/api-reference/chat-completions-post and the types of the package perplexityai 0.46: each
# chunk of a stream tells the usage so far; response_format is json_schema or regex.
_PERPLEXITY_CHAT: Final = ChatQuirks(
    members=(COMMON_MEMBERS - {"logit_bias", "seed"}) | {"top_k"},
    stream_usage=False,
    named_tool_choice=False,
    json_object=False,
    inputs=frozenset({"image"}),
    efforts=("minimal", "low", "medium", "high"),
    cost=ReportedCost(("cost", "total_cost")),
)

# https://docs.mistral.ai/api: nothing is stored, and functions are the only tools.
_MISTRAL_RESPONSES: Final = ResponsesQuirks(efforts=_MISTRAL_CHAT.efforts)

# https://api-docs.deepseek.com: reasoning comes and goes back as plain text.
_DEEPSEEK_RESPONSES: Final = ResponsesQuirks(efforts=_DEEPSEEK_CHAT.efforts)

# https://docs.x.ai/docs/guides/chat: stored for 30 days unless `store` is false; reasoning comes encrypted.
_XAI_RESPONSES: Final = ResponsesQuirks(
    members=COMMON_RESPONSES_MEMBERS | {"prompt_cache_key", "top_logprobs"},
    encrypted_reasoning=True,
    plain_reasoning=False,
    files=True,
    cost=_XAI_CHAT.cost,
)

MODEL_MAKERS: Final = (
    ProviderKind(
        name="openai",
        price_list="openai",
        base_url="https://api.openai.com/v1",
        api_key_env="OPENAI_API_KEY",
        telemetry_name="openai",
        chat=_OPENAI_CHAT,
        other_dialects=(RESPONSES,),
        responses=OPENAI_RESPONSES,
    ),
    ProviderKind(
        name="mistral",
        price_list="mistral",
        base_url="https://api.mistral.ai/v1",
        api_key_env="MISTRAL_API_KEY",
        telemetry_name="mistral_ai",
        request_id_headers=("mistral-correlation-id", REQUEST_ID),
        # https://docs.mistral.ai/capabilities/completion/usage: `prefix` of an assistant message.
        prefill=Prefill(message='{"prefix":true}'),
        chat=_MISTRAL_CHAT,
        other_dialects=(RESPONSES,),
        responses=_MISTRAL_RESPONSES,
    ),
    ProviderKind(
        name="cohere",
        price_list="cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        api_key_env="COHERE_API_KEY",
        telemetry_name="cohere",
        chat=_COHERE_CHAT,
    ),
    ProviderKind(
        name="deepseek",
        price_list="deepseek",
        base_url="https://api.deepseek.com",
        api_key_env="DEEPSEEK_API_KEY",
        telemetry_name="deepseek",
        request_id_headers=("x-ds-trace-id", REQUEST_ID),
        chat=_DEEPSEEK_CHAT,
        other_dialects=(RESPONSES,),
        responses=_DEEPSEEK_RESPONSES,
    ),
    ProviderKind(
        name="xai",
        price_list="x-ai",
        base_url="https://api.x.ai/v1",
        api_key_env="XAI_API_KEY",
        telemetry_name="x_ai",
        chat=_XAI_CHAT,
        other_dialects=(RESPONSES,),
        responses=_XAI_RESPONSES,
    ),
    ProviderKind(
        name="moonshot",
        price_list="moonshotai",
        base_url="https://api.moonshot.ai/v1",
        api_key_env="MOONSHOT_API_KEY",
        telemetry_name="moonshot_ai",
        chat=_MOONSHOT_CHAT,
    ),
    ProviderKind(
        name="zai", price_list="zai", base_url="https://api.z.ai/api/paas/v4", api_key_env="ZAI_API_KEY", chat=_ZAI_CHAT
    ),
    ProviderKind(
        name="perplexity",
        price_list="perplexity",
        base_url="https://api.perplexity.ai",
        api_key_env="PERPLEXITY_API_KEY",
        telemetry_name="perplexity",
        chat=_PERPLEXITY_CHAT,
    ),
)
"""Vendors with models of their own, the nearest to OpenAI's wire being OpenAI itself."""
