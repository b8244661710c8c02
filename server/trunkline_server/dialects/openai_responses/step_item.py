"""Steps of tools that the provider runs, and items that only it understands: kept whole, to go back as they came."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from trunkline.v1 import Part
from trunkline_server.dialects.dialect import EventSink
from trunkline_server.dialects.json_values import Json, json_text, text_in
from trunkline_server.dialects.openai_responses.names import DIALECT, IMAGE_CALL
from trunkline_server.dialects.openai_responses.parts import Parts

# By type: the tool, or nothing where the item names it, and the members that say what it is given.
_CALLS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "web_search_call": ("web_search", ("action",)),
    "file_search_call": ("file_search", ("queries",)),
    "code_interpreter_call": ("code_interpreter", ("code", "container_id")),
    "mcp_call": ("", ()),
    "tool_search_call": ("tool_search", ("arguments",)),
    "program": ("programmatic_tool_calling", ("code",)),
    IMAGE_CALL: ("image_generation", ("action", "size", "quality")),
}
_RESULTS: Final[Mapping[str, str]] = {
    "tool_search_output": "tool_search",
    "program_output": "programmatic_tool_calling",
    "shell_call_output": "shell",
    "function_call_output": "",
    "custom_tool_call_output": "",
}
_FAILED: Final = frozenset({"failed", "incomplete"})
_TEXT_ARGUMENTS: Final = "mcp_call"
_CLIENT: Final = "client"
_RESULT: Final = "result"


class StepItem:
    """An item that goes back as it came. What it is given, and its result, are told when it is complete."""

    __slots__ = ("_content", "_id", "_part", "_parts", "_said", "done", "type")

    def __init__(self, item: Json, parts: Parts, events: EventSink) -> None:
        self.done = False
        self.type = text_in(item, "type")
        self._parts = parts
        self._id = text_in(item, "id")
        self._said: list[str] = []
        self._part, part = parts.begin(self._id, events)
        self._content = _content_of(self.type, item)
        match self._content:
            case "server_tool_call":
                call = part.server_tool_call
                call.id, call.type, call.provider = self._id, self.type, parts.origin.provider
                call.name = _CALLS[self.type][0] or text_in(item, "name")
            case "server_tool_result":
                result = part.server_tool_result
                result.call_id, result.type = text_in(item, "call_id"), self.type
                result.name, result.provider = _RESULTS[self.type] or text_in(item, "name"), parts.origin.provider
            case _:
                part.opaque.dialect, part.opaque.type = DIALECT, self.type

    def argue(self, piece: str, events: EventSink) -> int:
        """A piece of what an MCP tool is given."""
        if self.done or not piece or self._content != "server_tool_call":
            return 0
        self._said.append(piece)
        events.add(part=self._part).arguments = piece
        return len(piece)

    def complete(self, item: Json, events: EventSink) -> int:
        if self.done:
            return 0
        picture = _picture_in(item) if self.type == IMAGE_CALL else b""
        native = json_text({name: value for name, value in item.items() if not (picture and name == _RESULT)})
        part = self._end(events)
        match self._content:
            case "server_tool_call":
                call = part.server_tool_call
                call.native, call.status = native, text_in(item, "status")
                if not self._said:
                    call.arguments = _arguments(item)
            case "server_tool_result":
                part.server_tool_result.native = native
                part.server_tool_result.is_error = text_in(item, "status") in _FAILED
            case _:
                part.opaque.native = native
        if picture:
            self._show(picture, item, events)
        return 0

    def close(self, events: EventSink) -> None:
        if not self.done:
            self._end(events)

    def _end(self, events: EventSink) -> Part:
        self.done = True
        part = events.add(part=self._part).part_done
        part.SetInParent()
        return part

    def _show(self, picture: bytes, item: Json, events: EventSink) -> None:
        """The picture that was drawn, as a part of its own with the id of its call."""
        number, part = self._parts.begin(self._id, events)
        part.image.media.data = picture
        part.image.media.mime_type = picture_type(item)
        part.image.revised_prompt = text_in(item, "revised_prompt")
        events.add(part=number).part_done.SetInParent()


def picture_type(holder: Json) -> str:
    """The type of a picture that the provider drew."""
    return f"image/{text_in(holder, 'output_format') or 'png'}"


def picture_bytes(text: str) -> bytes:
    """A picture in base64; nothing if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _content_of(kind: str, item: Json) -> str:
    if text_in(item, "execution") == _CLIENT:
        return "opaque"  # which the client is to run
    if kind in _CALLS:
        return "server_tool_call"
    return "server_tool_result" if kind in _RESULTS else "opaque"


def _arguments(item: Json) -> str:
    kind = text_in(item, "type")
    if kind == _TEXT_ARGUMENTS:
        return text_in(item, "arguments")
    members = _CALLS[kind][1]
    found = {name: item[name] for name in members if item.get(name) is not None}
    if len(members) == 1 and type(only := found.get(members[0])) is dict:
        return json_text(only)
    return json_text(found) if found else ""


def _picture_in(item: Json) -> bytes:
    value = item.get(_RESULT)
    return picture_bytes(value) if type(value) is str else b""
