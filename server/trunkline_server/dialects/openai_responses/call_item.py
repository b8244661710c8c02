"""A call of a tool that the client runs: of a function, or with free text."""

from typing import Final

from trunkline.v1 import Part, ToolKind
from trunkline_server.dialects.dialect import EventSink, MalformedFrameError
from trunkline_server.dialects.json_values import Json, json_text, read_object, text_in
from trunkline_server.dialects.openai_responses.parts import Parts, keep, missing, rename

FUNCTION: Final = "function_call"
CUSTOM: Final = "custom_tool_call"
_MEMBERS: Final = {FUNCTION: "arguments", CUSTOM: "input"}
_KNOWN: Final = frozenset({"type", "id", "call_id", "name", "arguments", "input", "namespace", "status"})


class CallItem:
    """A call as far as it has come. It begins when it is named, which the item itself does at once."""

    __slots__ = ("_id", "_new_id", "_part", "_parts", "_said", "_started", "done", "type")

    def __init__(self, item: Json, parts: Parts, new_id: str, events: EventSink) -> None:
        self.done = False
        self.type = text_in(item, "type")
        self._parts = parts
        self._id = ""
        self._new_id = new_id
        self._said: list[str] = []
        self._part = -1
        self._started = Part()
        if text_in(item, "name"):
            self._begin(item, events)

    def argue(self, piece: str, events: EventSink) -> int:
        """A piece of the arguments. Of a call without a name, they are told again with it."""
        if self.done or not piece or self._part < 0:
            return 0
        self._said.append(piece)
        if self._parts.whole:
            self._started.tool_call.arguments = piece
        else:
            events.add(part=self._part).arguments = piece
        return len(piece)

    def end_arguments(self, whole: str, events: EventSink) -> int:
        """The arguments are told whole."""
        return self.argue(missing(self._said, whole), events)

    def complete(self, item: Json, events: EventSink) -> int:
        if self.done:
            return 0
        arguments = _arguments(item, _MEMBERS[self.type])
        if self._part < 0:
            self._begin(item, events)
        chars = self.end_arguments(arguments, events)
        part = self._end(events)
        rename(part, self._id, item)
        keep(part, {name: value for name, value in item.items() if name not in _KNOWN and value is not None})
        return chars

    def close(self, events: EventSink) -> None:
        if self._part >= 0 and not self.done:
            self._end(events)

    def _begin(self, item: Json, events: EventSink) -> None:
        self._id = text_in(item, "id")
        self._part, self._started = self._parts.begin(self._id, events)
        call = self._started.tool_call
        call.id = text_in(item, "call_id") or text_in(item, "id") or self._new_id
        call.name = text_in(item, "name")
        call.namespace = text_in(item, "namespace")
        call.kind = ToolKind.TOOL_KIND_CUSTOM if self.type == CUSTOM else ToolKind.TOOL_KIND_FUNCTION

    def _end(self, events: EventSink) -> Part:
        self.done = True
        part = events.add(part=self._part).part_done
        part.SetInParent()
        if self.type == FUNCTION and _is_malformed("".join(self._said)):
            part.tool_call.malformed = True
        return part


def _arguments(item: Json, member: str) -> str:
    """The text of arguments; an object, which some vendors send instead, as compact text."""
    value = item.get(member)
    return json_text(value) if type(value) is dict else text_in(item, member)


def _is_malformed(arguments: str) -> bool:
    """Whether the arguments of a function are no JSON object. Nothing at all stands for an empty one."""
    if not arguments.strip():
        return False
    try:
        read_object(arguments.encode())
    except MalformedFrameError:
        return True
    return False
