"""Rows of the provider table for inference engines that one runs oneself, and for what is no vendor."""

from typing import Final

from trunkline_server.providers.chat_quirks import COMMON_MEMBERS, MAX_TOKENS, OPENAI_MEMBERS, ChatQuirks
from trunkline_server.providers.kind import RESPONSES, Prefill, ProviderKind
from trunkline_server.providers.responses_quirks import COMMON_RESPONSES_MEMBERS, ResponsesQuirks

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

# python/sglang/srt/entrypoints/openai/protocol.py of https://github.com/sgl-project/sglang
_SGLANG_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS | {"min_p", "repetition_penalty", "top_k"},
    inputs=frozenset({"image", "audio", "video"}),
    reasoning_member="reasoning_content",
)

# https://huggingface.github.io/text-generation-inference: the schema of its POST /v1/chat/completions.
_TGI_CHAT: Final = ChatQuirks(
    members=COMMON_MEMBERS - {"parallel_tool_calls", "reasoning_effort"},
    json_object=False,
    json_schema="value",
    inputs=frozenset({"image"}),
    max_stops=4,
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

# ChatCompletionRequest of both engines: the last message is not closed, and no new one is begun.
_VLLM_PREFILL: Final = Prefill(body='{"continue_final_message":true,"add_generation_prompt":false}')
_SGLANG_PREFILL: Final = Prefill(body='{"continue_final_message":true}')
# Without --no-prefill-assistant it always does; a model that thinks answers 400.
_LLAMACPP_PREFILL: Final = Prefill()

# vllm/entrypoints/openai of https://github.com/vllm-project/vllm: ResponsesRequest.
_VLLM_RESPONSES: Final = ResponsesQuirks(
    members=COMMON_RESPONSES_MEMBERS | {"metadata", "top_logprobs"}, efforts=_VLLM_CHAT.efforts
)
# https://docs.ollama.com/api/openai-compatibility: stateless.
_OLLAMA_RESPONSES: Final = ResponsesQuirks(image_urls=False, efforts=_OLLAMA_CHAT.efforts)

ENGINES: Final = (
    ProviderKind(
        name="vllm",
        base_url="http://127.0.0.1:8000/v1",
        local=True,
        prefill=_VLLM_PREFILL,
        chat=_VLLM_CHAT,
        other_dialects=(RESPONSES,),
        responses=_VLLM_RESPONSES,
    ),
    ProviderKind(
        name="sglang", base_url="http://127.0.0.1:30000/v1", local=True, prefill=_SGLANG_PREFILL, chat=_SGLANG_CHAT
    ),
    ProviderKind(name="tgi", chat=_TGI_CHAT),
    ProviderKind(
        name="llamacpp",
        base_url="http://127.0.0.1:8080/v1",
        local=True,
        prefill=_LLAMACPP_PREFILL,
        chat=_LLAMACPP_CHAT,
    ),
    ProviderKind(name="lmstudio", base_url="http://127.0.0.1:1234/v1", local=True, chat=_LMSTUDIO_CHAT),
    ProviderKind(
        name="ollama",
        base_url="http://127.0.0.1:11434/v1",
        local=True,
        chat=_OLLAMA_CHAT,
        other_dialects=(RESPONSES,),
        responses=_OLLAMA_RESPONSES,
    ),
    ProviderKind(name="openai_compatible", other_dialects=(RESPONSES,)),
    ProviderKind(name="echo", transport="echo", base_url="echo:", chat=_ECHO_CHAT),
)
"""Engines of one's own; any other server of this wire; and the built-in model."""
