"""Why an answer ended: Anthropic's words for it."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import FinishReason

FINISH_REASONS: Final[Mapping[str, "FinishReason.ValueType"]] = {
    "end_turn": FinishReason.FINISH_REASON_STOP,
    "stop_sequence": FinishReason.FINISH_REASON_STOP_SEQUENCE,
    "max_tokens": FinishReason.FINISH_REASON_LENGTH,
    "model_context_window_exceeded": FinishReason.FINISH_REASON_CONTEXT_LENGTH,
    "tool_use": FinishReason.FINISH_REASON_TOOL_CALLS,
    "refusal": FinishReason.FINISH_REASON_REFUSAL,
    "pause_turn": FinishReason.FINISH_REASON_PAUSED,
}
"""By the native word; https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons. What is not listed
stays as it is."""

_DONE: Final = (FinishReason.FINISH_REASON_STOP, FinishReason.FINISH_REASON_TOOL_CALLS)


def finish_reason(native: str, *, calls: bool) -> "FinishReason.ValueType":
    """The reason in common words. What the answer holds decides between a stop and calls: the tool that stands for an
    answer's form is no call of the client's.
    """
    reason = FINISH_REASONS.get(native, FinishReason.FINISH_REASON_UNSPECIFIED)
    if reason in _DONE:
        return FinishReason.FINISH_REASON_TOOL_CALLS if calls else FinishReason.FINISH_REASON_STOP
    return reason
