"""The conversation as input items of the Responses wire, in the order in which it was held."""

from collections.abc import Mapping
from typing import Final

from trunkline.errors import InvalidRequestError
from trunkline.v1 import CompleteRequest, Message, Part, Role, ToolKind
from trunkline_server.dialects.fields_set import mere_message
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_responses.answered import Answer, AnsweredCall
from trunkline_server.dialects.openai_responses.content import (
    add_breakpoint,
    as_content,
    encode_part,
)
from trunkline_server.dialects.openai_responses.extensions import merge_extensions
from trunkline_server.dialects.translation import Translation

_ROLES: Final[Mapping[int, str]] = {
    Role.ROLE_SYSTEM: "system",
    Role.ROLE_DEVELOPER: "developer",
    Role.ROLE_USER: "user",
}
# Those of messages that may hold one text alone; whether "developer" is known is the provider's matter.
_PLAIN_ROLES: Final[Mapping[int, str]] = {
    Role.ROLE_SYSTEM: "system",
    Role.ROLE_USER: "user",
    Role.ROLE_ASSISTANT: "assistant",
}
_OUTPUTS: Final[Mapping[bool, str]] = {True: "custom_tool_call_output", False: "function_call_output"}
# An opaque part of such a type is content of a message; any other is an item of its own.
_CONTENT: Final = "input_"
# Members by which a request goes on from what the provider has stored.
_STORED: Final = ("previous_response_id", "conversation")
# What a model's turn holds beside messages, reasoning and calls.
_ANSWERS: Final = frozenset({"mcp_approval_request", "mcp_list_tools", "program", "tool_search_output"})


def encode_items(request: CompleteRequest, body: Json, translation: Translation) -> None:
    """Puts `input` into the body. System messages stay in their places, so that no cached prefix changes."""
    messages = request.messages[:]
    goes_on = any(f'"{name}"' in text for text in request.extensions.values() for name in _STORED)
    items = _Items(translation, goes_on=goes_on)
    for at, message in enumerate(messages):
        items.take(message, f"messages[{at}]")
    body["input"] = items.close()


class _Items:
    """The items so far."""

    def __init__(self, translation: Translation, *, goes_on: bool) -> None:
        self._translation = translation
        self._knows_all = not goes_on
        self._items: list[Json] = []
        self._fields: list[str] = []
        self._calls: dict[str, AnsweredCall] = {}
        self._open: dict[str, str] = {}

    def take(self, message: Message, path: str) -> None:
        """The next message."""
        if (text := mere_message(message)) and (name := _PLAIN_ROLES.get(message.role)):
            self._add({"role": name, "content": text}, path)
            return
        match message.role:
            case Role.ROLE_ASSISTANT:
                self._answer(message, path)
            case Role.ROLE_TOOL:
                self._results(message, path)
            case role if role in _ROLES:
                self._prompt(message, path)
            case _:
                raise InvalidRequestError.at_field(f"{path}.role", "is one of system, developer, user, assistant, tool")
        if message.name:
            self._translation.drop(f"{path}.name", "this API knows no names of speakers")

    def close(self) -> list[Json]:
        """All items, once it is known what follows each.

        https://platform.openai.com/docs/guides/reasoning: a reasoning item is refused without what followed it, and a
        call without its result.
        """
        for field in self._open.values():
            raise InvalidRequestError.at_field(field, "has no result: send one for each call")
        kept: list[Json] = []
        for at in range(len(self._items) - 1, -1, -1):
            item = self._items[at]
            if item.get("type") == "reasoning" and not (kept and _is_answer(kept[-1])):
                self._translation.drop(self._fields[at], "nothing follows it that the model said")
            else:
                kept.append(item)
        kept.reverse()
        return kept

    def _add(self, item: Json, field: str) -> None:
        self._items.append(item)
        self._fields.append(field)

    def _prompt(self, message: Message, path: str) -> None:
        translation = self._translation
        role = _ROLES[message.role]
        if role == "developer" and not translation.target.provider.kind.responses.developer_role:
            role = "system"
            translation.rewrite(f"{path}.role", "the provider does not know the role developer", role)
        content: list[Json] = []
        item: Json | None = None
        for index, part in enumerate(message.parts):
            wire = encode_part(part, f"{path}.parts[{index}]", translation)
            if wire is None:
                continue
            if part.HasField("opaque") and not str(wire.get("type")).startswith(_CONTENT):
                if content:
                    self._add({"role": role, "content": as_content(content)}, path)
                    content = []
                self._add(wire, f"{path}.parts[{index}]")
                self._knows_all = False
            else:
                content.append(wire)
        if content or not message.parts:
            item = {"role": role, "content": as_content(content) if content else ""}
            self._add(item, path)
        if message.extensions and item is not None:
            merge_extensions(item, message.extensions, f"{path}.", translation)

    def _answer(self, message: Message, path: str) -> None:
        answer = Answer(self._translation)
        for index, part in enumerate(message.parts):
            answer.take(part, f"{path}.parts[{index}]")
        for item, field in answer.items:
            self._add(item, field)
        # What only the provider understands may be a call, too.
        self._knows_all = self._knows_all and not any(part.HasField("opaque") for part in message.parts)
        for call_id, call in answer.calls.items():
            self._calls[call_id] = call
            self._open[call_id] = call.field
        if not answer.items:
            self._translation.rewrite(f"{path}.parts", "an empty turn is left out")
        if not message.extensions:
            return
        if len(answer.items) == 1:
            merge_extensions(answer.items[0][0], message.extensions, f"{path}.", self._translation)
        else:
            for name in sorted(message.extensions):
                self._translation.drop(f"{path}.extensions[{name}]", "the message is several items in this API")

    def _results(self, message: Message, path: str) -> None:
        for index, part in enumerate(message.parts):
            field = f"{path}.parts[{index}]"
            if not part.HasField("tool_result"):
                raise InvalidRequestError.at_field(field, "a message of role tool holds tool_result parts only")
            call_id = part.tool_result.call_id
            if call_id not in self._calls and self._knows_all:
                raise InvalidRequestError.at_field(
                    f"{field}.tool_result.call_id", "is the id of no call in the messages before"
                )
            self._add(self._result(part, field), field)
            self._open.pop(part.tool_result.call_id, None)
            if message.extensions:
                merge_extensions(self._items[-1], message.extensions, f"{path}.", self._translation)

    def _result(self, part: Part, path: str) -> Json:
        translation, result = self._translation, part.tool_result
        call = self._calls.get(result.call_id)
        content = []
        for index, inner in enumerate(result.parts):
            at = f"{path}.tool_result.parts[{index}]"
            if (wire := encode_part(inner, at, translation)) is not None:
                content.append(wire)
        if result.is_error:
            translation.drop(f"{path}.tool_result.is_error", "this API does not tell failed results from others")
        if part.HasField("cache_ttl_s"):
            if content:
                add_breakpoint(content[-1], part.cache_ttl_s, path, translation)
            else:
                translation.drop(f"{path}.cache_ttl_s", "an empty result cannot carry a breakpoint")
        is_custom = result.kind == ToolKind.TOOL_KIND_CUSTOM if result.kind or call is None else call.custom
        item: Json = {
            "type": _OUTPUTS[is_custom],
            "call_id": result.call_id,
            "output": as_content(content) if content else "",
        }
        if part.extensions:
            merge_extensions(item, part.extensions, f"{path}.", translation)
        return item


def _is_answer(item: Json) -> bool:
    """Whether the model made it, and so it may stand after its reasoning."""
    kind = str(item.get("type", ""))
    return item.get("role") == "assistant" or kind == "reasoning" or kind.endswith("_call") or kind in _ANSWERS
