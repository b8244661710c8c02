"""Rows of the provider table for platforms and gateways that serve the models of others."""

from dataclasses import replace
from typing import Final

from trunkline_server.providers.chat_quirks import (
    COMMON_MEMBERS,
    MAX_TOKENS,
    OPENAI_MEMBERS,
    USER,
    ChatQuirks,
    ReportedCost,
)
from trunkline_server.providers.kind import REQUEST_ID, RESPONSES, ProviderKind
from trunkline_server.providers.responses_quirks import (
    COMMON_RESPONSES_MEMBERS,
    OPENAI_RESPONSES,
    OPENAI_RESPONSES_MEMBERS,
    ResponsesQuirks,
)

# https://console.groq.com/docs/api-reference and the types of the package groq 1.7, which name what no model takes yet.
_GROQ_CHAT: Final = ChatQuirks(
    members=(COMMON_MEMBERS - {"frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "top_logprobs"})
    | {"include_reasoning", "safety_identifier", "service_tier"},
    spellings=USER,
    developer_role=True,
    service_tiers=frozenset({"auto", "on_demand", "flex", "performance"}),
    inputs=frozenset({"image"}),
    efforts=("none", "low", "medium", "high"),
    reasoning_member="reasoning",
    max_stops=4,
)

# https://docs.together.ai/reference/chat-completions and the types of the package together 3.1: `logprobs` is a number
# there and is answered in another form, so it is not asked for. A stream tells its usage unasked.
_TOGETHER_CHAT: Final = ChatQuirks(
    members=(COMMON_MEMBERS - {"logprobs", "parallel_tool_calls", "top_logprobs"})
    | {"min_p", "repetition_penalty", "top_k"},
    stream_usage=False,
    named_tool_choice=False,
    efforts=("low", "medium", "high"),
    reasoning_form="enabled",
    reasoning_member="reasoning",
)

# https://docs.fireworks.ai/api-reference/post-chatcompletions and the types of the package fireworks-ai 1.2.
_FIREWORKS_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS
    | {
        "metadata",
        "min_p",
        "prediction",
        "prompt_cache_key",
        "repetition_penalty",
        "safety_identifier",
        "service_tier",
        "top_k",
    },
    spellings={**MAX_TOKENS, **USER},
    service_tiers=frozenset({"auto", "default", "flex", "priority"}),
    inputs=frozenset({"image", "video"}),
    efforts=("none", "low", "medium", "high"),
    reasoning_member="reasoning_content",
)

# https://inference-docs.cerebras.ai/api-reference/chat-completions and the types of the package cerebras-cloud-sdk 1.91.
_CEREBRAS_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS | {"prediction", "prompt_cache_key", "safety_identifier", "service_tier"},
    spellings=USER,
    developer_role=True,
    service_tiers=frozenset({"auto", "default", "flex", "priority"}),
    inputs=frozenset({"image"}),
    efforts=("none", "low", "medium", "high"),
    reasoning_member="reasoning",
)

# https://docs.sambanova.ai/docs/en/api-reference and the types of the package sambanova 1.13: both penalties are taken
# and ignored, and sound has a form of its own.
_SAMBANOVA_CHAT: Final = ChatQuirks(
    members=(COMMON_MEMBERS - {"frequency_penalty", "logit_bias", "presence_penalty"})
    | {"repetition_penalty", "top_k"},
    inputs=frozenset({"image", "video"}),
    efforts=("low", "medium", "high"),
    reasoning_member="reasoning",
)

# https://openrouter.ai/docs/api-reference/chat-completion and the types of the package openrouter 1.3.
_OPENROUTER_CHAT: Final = ChatQuirks(
    members=(OPENAI_MEMBERS - {"audio", "n", "store", "verbosity"}) | {"min_p", "repetition_penalty", "top_k"},
    spellings=USER,
    developer_role=True,
    refusal=True,
    inputs=frozenset({"image", "audio", "file", "video"}),
    reasoning_form="object",
    reasoning_member="reasoning",
    reasoning_details=True,
    cache_breakpoints=True,
    cost=ReportedCost(("cost",)),
)

# https://docs.api.nvidia.com/nim/reference/llm-apis: what most of its models take; a few take less.
_NVIDIA_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS - {"logit_bias", "logprobs", "n", "reasoning_effort", "top_logprobs"},
    inputs=frozenset({"image"}),
)

# https://docs.github.com/en/rest/models/inference: tool_choice is one of three words.
_GITHUB_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS - {"logit_bias", "logprobs", "n", "parallel_tool_calls", "reasoning_effort", "top_logprobs"},
    developer_role=True,
    named_tool_choice=False,
    inputs=frozenset({"image"}),
)

# https://deepinfra.com/docs/advanced/openai_api, and /function_calling: tool_choice is "auto" or "none".
_DEEPINFRA_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS - {"logprobs", "parallel_tool_calls", "seed", "top_logprobs"},
    named_tool_choice=False,
    required_choice="",
    inputs=frozenset({"image"}),
)

# https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion
_NOVITA_CHAT: Final = ChatQuirks(
    members=(COMMON_MEMBERS - {"parallel_tool_calls", "reasoning_effort", "tool_choice"})
    | {"min_p", "repetition_penalty", "top_k"},
    inputs=frozenset({"image", "audio", "video"}),
)

# https://docs.litellm.ai/docs/completion/input: takes what OpenAI takes and turns it into what the model behind it
# takes; what that model does not take at all, it refuses. So it is not told unasked to store nothing.
_LITELLM_CHAT: Final = ChatQuirks(
    members=OPENAI_MEMBERS - {"store"},
    spellings=USER,
    developer_role=True,
    inputs=frozenset({"image", "audio", "file"}),
    reasoning_member="reasoning_content",
)

# https://console.groq.com/docs/responses-api: stateless, without what is OpenAI's platform.
_GROQ_RESPONSES: Final = ResponsesQuirks(
    members=COMMON_RESPONSES_MEMBERS | {"metadata", "service_tier"},
    developer_role=True,
    efforts=_GROQ_CHAT.efforts,
)

# https://openrouter.ai/docs/api-reference/responses and recordings of it: encrypted reasoning and cache breakpoints of
# OpenAI's models go through.
_OPENROUTER_RESPONSES: Final = ResponsesQuirks(
    members=OPENAI_RESPONSES_MEMBERS,
    developer_role=True,
    encrypted_reasoning=True,
    summaries=True,
    files=True,
    cache_breakpoints=True,
    cost=_OPENROUTER_CHAT.cost,
)

MODEL_HOSTS: Final = (
    ProviderKind(
        name="groq",
        price_list="groq",
        base_url="https://api.groq.com/openai/v1",
        api_key_env="GROQ_API_KEY",
        telemetry_name="groq",
        chat=_GROQ_CHAT,
        other_dialects=(RESPONSES,),
        responses=_GROQ_RESPONSES,
    ),
    ProviderKind(
        name="together",
        price_list="together",
        base_url="https://api.together.ai/v1",
        api_key_env="TOGETHER_API_KEY",
        chat=_TOGETHER_CHAT,
    ),
    ProviderKind(
        name="fireworks",
        price_list="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        api_key_env="FIREWORKS_API_KEY",
        chat=_FIREWORKS_CHAT,
    ),
    ProviderKind(
        name="cerebras",
        price_list="cerebras",
        base_url="https://api.cerebras.ai/v1",
        api_key_env="CEREBRAS_API_KEY",
        chat=_CEREBRAS_CHAT,
    ),
    ProviderKind(
        name="sambanova", base_url="https://api.sambanova.ai/v1", api_key_env="SAMBANOVA_API_KEY", chat=_SAMBANOVA_CHAT
    ),
    ProviderKind(
        name="openrouter",
        price_list="openrouter",
        base_url="https://openrouter.ai/api/v1",
        api_key_env="OPENROUTER_API_KEY",
        chat=_OPENROUTER_CHAT,
        other_dialects=(RESPONSES,),
        responses=_OPENROUTER_RESPONSES,
    ),
    # https://huggingface.co/docs/inference-providers; the model's suffix ":provider" says who serves it.
    ProviderKind(name="huggingface", base_url="https://router.huggingface.co/v1", api_key_env="HF_TOKEN"),
    ProviderKind(
        name="nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        api_key_env="NVIDIA_API_KEY",
        request_id_headers=(REQUEST_ID, "nvcf-reqid"),
        chat=_NVIDIA_CHAT,
    ),
    ProviderKind(
        name="github",
        base_url="https://models.github.ai/inference",
        api_key_env="GITHUB_TOKEN",
        request_id_headers=(REQUEST_ID, "x-github-request-id"),
        chat=_GITHUB_CHAT,
    ),
    ProviderKind(
        name="deepinfra",
        base_url="https://api.deepinfra.com/v1/openai",
        api_key_env="DEEPINFRA_API_KEY",
        chat=_DEEPINFRA_CHAT,
    ),
    ProviderKind(
        name="novita",
        price_list="novita",
        base_url="https://api.novita.ai/openai/v1",
        api_key_env="NOVITA_API_KEY",
        chat=_NOVITA_CHAT,
    ),
    # https://docs.tokenfactory.nebius.com
    ProviderKind(name="nebius", base_url="https://api.tokenfactory.nebius.com/v1", api_key_env="NEBIUS_API_KEY"),
    # https://docs.hyperbolic.xyz/docs/rest-api
    ProviderKind(name="hyperbolic", base_url="https://api.hyperbolic.xyz/v1", api_key_env="HYPERBOLIC_API_KEY"),
    # https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference; each workspace has an
    # address of its own, such as https://WORKSPACE/serving-endpoints.
    ProviderKind(name="databricks"),
    ProviderKind(
        name="litellm",
        request_id_headers=("x-litellm-call-id", REQUEST_ID),
        chat=_LITELLM_CHAT,
        other_dialects=(RESPONSES,),
        responses=replace(OPENAI_RESPONSES, counts_tokens=False),
    ),
)
"""Platforms and gateways with models of many makers."""
