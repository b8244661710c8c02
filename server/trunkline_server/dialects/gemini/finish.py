"""Why an answer ended: Gemini's words for it, and those that tell of a fault."""

from collections.abc import Mapping
from typing import Final

from trunkline.errors import GatewayError, MalformedToolCallError, ProviderBadAnswerError
from trunkline.v1 import FinishReason

FINISH_REASONS: Final[Mapping[str, "FinishReason.ValueType"]] = {
    "STOP": FinishReason.FINISH_REASON_STOP,
    "MAX_TOKENS": FinishReason.FINISH_REASON_LENGTH,
    "CONTINUATION": FinishReason.FINISH_REASON_PAUSED,
    "SAFETY": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "RECITATION": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "LANGUAGE": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "BLOCKLIST": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "SPII": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "IMAGE_RECITATION": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "MODEL_ARMOR": FinishReason.FINISH_REASON_CONTENT_FILTER,
}
"""By the native word; https://ai.google.dev/api/generate-content#FinishReason. What is not listed stays as it is."""

FAULTS: Final[Mapping[str, type[GatewayError]]] = {
    "MALFORMED_FUNCTION_CALL": MalformedToolCallError,
    "UNEXPECTED_TOOL_CALL": MalformedToolCallError,
    "TOO_MANY_TOOL_CALLS": MalformedToolCallError,
    "MISSING_THOUGHT_SIGNATURE": ProviderBadAnswerError,
    "MALFORMED_RESPONSE": ProviderBadAnswerError,
}
"""Words that stand where a finish reason stands but tell of a fault: the answer must not pass for whole."""

# Proxies that answer with the numbers of google.ai.generativelanguage's enum instead of its words.
_NUMBERS: Final[Mapping[int, str]] = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"}
_UNSPECIFIED: Final = "FINISH_REASON_UNSPECIFIED"


def native_reason(value: object) -> str:
    """The word in a candidate's finishReason; empty while it has not ended."""
    if type(value) is int:
        return _NUMBERS.get(value, str(value)) if value else ""
    return value if type(value) is str and value != _UNSPECIFIED else ""


def finish_reason(native: str, *, calls: bool) -> "FinishReason.ValueType":
    """The reason in common words; calls end with STOP here, and only what the answer holds tells them."""
    reason = FINISH_REASONS.get(native, FinishReason.FINISH_REASON_UNSPECIFIED)
    if calls and reason == FinishReason.FINISH_REASON_STOP:
        return FinishReason.FINISH_REASON_TOOL_CALLS
    return reason
