"""Why an answer ended, and the states that are no end of one."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import FinishReason

# By `incomplete_details.reason`.
_INCOMPLETE: Final[Mapping[str, "FinishReason.ValueType"]] = {
    "max_output_tokens": FinishReason.FINISH_REASON_LENGTH,
    "max_tool_calls": FinishReason.FINISH_REASON_LENGTH,
    "max_tokens": FinishReason.FINISH_REASON_LENGTH,
    "content_filter": FinishReason.FINISH_REASON_CONTENT_FILTER,
    "max_messages": FinishReason.FINISH_REASON_PAUSED,
}
COMPLETED: Final = ("completed", "complete")
INCOMPLETE: Final = "incomplete"
FAILURES: Final = frozenset({"failed", "cancelled"})
"""States in which there is no answer, and will be none."""
UNFINISHED: Final = frozenset({"queued", "in_progress"})
"""States in which there is no answer yet."""


def finish_reason(native: str, *, calls: bool) -> "FinishReason.ValueType":
    """The reason in common words. The content decides between a stop and calls: this wire does not."""
    if native in COMPLETED or not native:
        return FinishReason.FINISH_REASON_TOOL_CALLS if calls else FinishReason.FINISH_REASON_STOP
    return _INCOMPLETE.get(native, FinishReason.FINISH_REASON_UNSPECIFIED)
