"""The words of OpenAI's chat API and what the contract calls them."""

from collections.abc import Mapping

from trunkline.v1 import (
    CacheMode,
    FinishReason,
    FormatKind,
    ImageDetail,
    Modality,
    Priority,
    PromptCacheMode,
    ReasoningEffort,
    Role,
    ToolChoiceMode,
    Verbosity,
)

DIALECT = "openai_chat"
"""The key under which the vendor's own members travel in `extensions`."""

ROLES: Mapping[str, "Role.ValueType"] = {
    "system": Role.ROLE_SYSTEM,
    "developer": Role.ROLE_DEVELOPER,
    "user": Role.ROLE_USER,
    "assistant": Role.ROLE_ASSISTANT,
    "tool": Role.ROLE_TOOL,
    "function": Role.ROLE_TOOL,
}
DETAILS: Mapping[str, "ImageDetail.ValueType"] = {
    "auto": ImageDetail.IMAGE_DETAIL_AUTO,
    "low": ImageDetail.IMAGE_DETAIL_LOW,
    "medium": ImageDetail.IMAGE_DETAIL_MEDIUM,
    "high": ImageDetail.IMAGE_DETAIL_HIGH,
    "original": ImageDetail.IMAGE_DETAIL_ORIGINAL,
}
EFFORTS: Mapping[str, "ReasoningEffort.ValueType"] = {
    "none": ReasoningEffort.REASONING_EFFORT_NONE,
    "minimal": ReasoningEffort.REASONING_EFFORT_MINIMAL,
    "low": ReasoningEffort.REASONING_EFFORT_LOW,
    "medium": ReasoningEffort.REASONING_EFFORT_MEDIUM,
    "high": ReasoningEffort.REASONING_EFFORT_HIGH,
    "xhigh": ReasoningEffort.REASONING_EFFORT_XHIGH,
    "max": ReasoningEffort.REASONING_EFFORT_MAX,
}
VERBOSITIES: Mapping[str, "Verbosity.ValueType"] = {
    "low": Verbosity.VERBOSITY_LOW,
    "medium": Verbosity.VERBOSITY_MEDIUM,
    "high": Verbosity.VERBOSITY_HIGH,
}
MODALITIES: Mapping[str, "Modality.ValueType"] = {
    "text": Modality.MODALITY_TEXT,
    "audio": Modality.MODALITY_AUDIO,
    "image": Modality.MODALITY_IMAGE,
    "video": Modality.MODALITY_VIDEO,
}
FORMATS: Mapping[str, "FormatKind.ValueType"] = {
    "text": FormatKind.FORMAT_KIND_TEXT,
    "json_object": FormatKind.FORMAT_KIND_JSON_OBJECT,
    "json_schema": FormatKind.FORMAT_KIND_JSON_SCHEMA,
}
CHOICE_MODES: Mapping[str, "ToolChoiceMode.ValueType"] = {
    "none": ToolChoiceMode.TOOL_CHOICE_MODE_NONE,
    "auto": ToolChoiceMode.TOOL_CHOICE_MODE_AUTO,
    "required": ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED,
}
ALLOWED_MODES: Mapping[str, "ToolChoiceMode.ValueType"] = {
    "auto": ToolChoiceMode.TOOL_CHOICE_MODE_AUTO,
    "required": ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED,
}
CACHE_MODES: Mapping[str, "PromptCacheMode.ValueType"] = {
    "implicit": PromptCacheMode.PROMPT_CACHE_MODE_AUTOMATIC,
    "explicit": PromptCacheMode.PROMPT_CACHE_MODE_EXPLICIT,
}
CACHE_TTLS: Mapping[str, int] = {"5m": 300, "30m": 1800, "1h": 3600, "12h": 43200}
"""Lifetimes of prompt caches, in seconds."""
AUDIO_TYPES: Mapping[str, str] = {"wav": "audio/wav", "mp3": "audio/mpeg"}

ANSWER_CACHE_MODES: Mapping[str, "CacheMode.ValueType"] = {
    "use": CacheMode.CACHE_MODE_USE,
    "bypass": CacheMode.CACHE_MODE_BYPASS,
    "refresh": CacheMode.CACHE_MODE_REFRESH,
    "only": CacheMode.CACHE_MODE_ONLY,
}
PRIORITIES: Mapping[str, "Priority.ValueType"] = {
    "low": Priority.PRIORITY_LOW,
    "normal": Priority.PRIORITY_NORMAL,
    "high": Priority.PRIORITY_HIGH,
}

# A pause is no end that OpenAI knows: the answer is as good as cut for length.
FINISHES: Mapping[int, str] = {
    FinishReason.FINISH_REASON_STOP: "stop",
    FinishReason.FINISH_REASON_STOP_SEQUENCE: "stop",
    FinishReason.FINISH_REASON_LENGTH: "length",
    FinishReason.FINISH_REASON_CONTEXT_LENGTH: "length",
    FinishReason.FINISH_REASON_TOOL_CALLS: "tool_calls",
    FinishReason.FINISH_REASON_CONTENT_FILTER: "content_filter",
    FinishReason.FINISH_REASON_REFUSAL: "content_filter",
    FinishReason.FINISH_REASON_PAUSED: "length",
}
FINISH_WORDS = frozenset(("stop", "length", "tool_calls", "content_filter", "function_call"))
EXPLAINED_FINISHES = frozenset((FinishReason.FINISH_REASON_CONTENT_FILTER, FinishReason.FINISH_REASON_REFUSAL))
"""Ends whose explanation is shown as the refusal where the model gave none itself."""
