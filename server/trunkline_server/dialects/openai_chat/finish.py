"""Why an answer ended: the words of the chat completions wire and of its vendors."""

from collections.abc import Mapping
from typing import Final

from trunkline.errors import GatewayError, MalformedToolCallError, ProviderUnavailableError
from trunkline.v1 import FinishReason

# By the native word in lower case. The first five are OpenAI's, the others come from copies of the wire and from
# gateways that hand on the words of Anthropic or Gemini.
FINISH_REASONS: Final[Mapping[str, "FinishReason.ValueType"]] = {
    "stop": FinishReason.FINISH_REASON_STOP,
    "length": FinishReason.FINISH_REASON_LENGTH,
    "tool_calls": FinishReason.FINISH_REASON_TOOL_CALLS,
    "function_call": FinishReason.FINISH_REASON_TOOL_CALLS,
    "content_filter": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "eos": FinishReason.FINISH_REASON_STOP,
    "eos_token": FinishReason.FINISH_REASON_STOP,
    "end_turn": FinishReason.FINISH_REASON_STOP,
    "complete": FinishReason.FINISH_REASON_STOP,
    "stop_sequence": FinishReason.FINISH_REASON_STOP_SEQUENCE,
    "max_tokens": FinishReason.FINISH_REASON_LENGTH,
    "model_length": FinishReason.FINISH_REASON_CONTEXT_LENGTH,
    "model_context_window_exceeded": FinishReason.FINISH_REASON_CONTEXT_LENGTH,
    "tool_use": FinishReason.FINISH_REASON_TOOL_CALLS,
    "tool_call": FinishReason.FINISH_REASON_TOOL_CALLS,
    "sensitive": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "safety": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "recitation": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "guardrail_intervened": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "refusal": FinishReason.FINISH_REASON_REFUSAL,
    "pause_turn": FinishReason.FINISH_REASON_PAUSED,
}

# Words that stand where a finish reason stands but tell of a fault: the answer broke off and must not pass for whole.
FAULTS: Final[Mapping[str, type[GatewayError]]] = {
    "error": ProviderUnavailableError,
    "timeout": ProviderUnavailableError,
    "abort": ProviderUnavailableError,
    "network_error": ProviderUnavailableError,
    "insufficient_system_resource": ProviderUnavailableError,
    "malformed_response": ProviderUnavailableError,
    "malformed_function_call": MalformedToolCallError,
    "unexpected_tool_call": MalformedToolCallError,
    "too_many_tool_calls": MalformedToolCallError,
}

# What the content may overrule. Where the answer was cut or filtered, its calls are not to be run.
_OVERRULED: Final = frozenset(
    {
        FinishReason.FINISH_REASON_UNSPECIFIED,
        FinishReason.FINISH_REASON_STOP,
        FinishReason.FINISH_REASON_TOOL_CALLS,
    }
)


def finish_reason(native: str, *, calls: bool, stop_text: str) -> "FinishReason.ValueType":
    """The reason in common words, derived from what the answer holds where vendors differ in what they call it.

    A forced call ends with "stop" at OpenAI; some engines say "tool_calls" although they could not read one.
    """
    reason = FINISH_REASONS.get(native.lower(), FinishReason.FINISH_REASON_UNSPECIFIED)
    if calls and reason in _OVERRULED:
        return FinishReason.FINISH_REASON_TOOL_CALLS
    if reason == FinishReason.FINISH_REASON_TOOL_CALLS:
        return FinishReason.FINISH_REASON_STOP
    if reason == FinishReason.FINISH_REASON_STOP and stop_text:
        return FinishReason.FINISH_REASON_STOP_SEQUENCE
    return reason
