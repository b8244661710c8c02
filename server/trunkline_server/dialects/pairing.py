"""Calls and their results belong together: what providers refuse with few words is refused before, with the place."""

from collections.abc import Sequence
from typing import Final, NoReturn

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Message, Role

# An enum's names are looked up by a function each time.
_TOOL: Final = Role.ROLE_TOOL
_USER: Final = Role.ROLE_USER
_ASSISTANT: Final = Role.ROLE_ASSISTANT


def check_pairs(messages: Sequence[Message]) -> None:
    """Raises InvalidRequestError where a call is not answered right after it, or a result answers no call."""
    open_calls: dict[str, str] = {}
    for at, message in enumerate(messages):
        role = message.role
        if role == _TOOL:
            for index, part in enumerate(message.parts[:]):
                field = f"messages[{at}].parts[{index}].tool_result.call_id"
                if open_calls.pop(part.tool_result.call_id, None) is None:
                    raise InvalidRequestError.at_field(field, "is the id of no call that waits for a result here")
        elif role in (_USER, _ASSISTANT):
            if open_calls:
                _refuse(open_calls)
            if role == _ASSISTANT:
                for index, part in enumerate(message.parts[:]):
                    if part.HasField("tool_call"):
                        open_calls[part.tool_call.id] = f"messages[{at}].parts[{index}].tool_call"
    if open_calls:
        _refuse(open_calls)


def _refuse(open_calls: dict[str, str]) -> NoReturn:
    field = next(iter(open_calls.values()))
    raise InvalidRequestError.at_field(field, "has no result: send one for each call, right after the calls")
