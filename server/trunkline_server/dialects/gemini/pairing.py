"""Calls and their results belong together: what Gemini refuses with few words is refused before, with the place."""

from collections.abc import Sequence

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Message, Role


def check_pairs(messages: Sequence[Message]) -> None:
    """Raises InvalidRequestError where a call is not answered right after it, or a result answers no call."""
    open_calls: dict[str, str] = {}
    for at, message in enumerate(messages):
        if message.role == Role.ROLE_TOOL:
            for index, part in enumerate(message.parts):
                field = f"messages[{at}].parts[{index}].tool_result.call_id"
                if open_calls.pop(part.tool_result.call_id, None) is None:
                    raise InvalidRequestError.at_field(field, "is the id of no call that waits for a result here")
        elif message.role in (Role.ROLE_USER, Role.ROLE_ASSISTANT):
            _check_answered(open_calls)
            if message.role == Role.ROLE_ASSISTANT:
                for index, part in enumerate(message.parts):
                    if part.HasField("tool_call"):
                        open_calls[part.tool_call.id] = f"messages[{at}].parts[{index}].tool_call"
    _check_answered(open_calls)


def _check_answered(open_calls: dict[str, str]) -> None:
    for field in open_calls.values():
        raise InvalidRequestError.at_field(field, "has no result: send one for each call, right after the calls")
