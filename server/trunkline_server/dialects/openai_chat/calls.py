"""Putting tool calls together from the deltas of a stream, as tolerantly as vendors are careless."""

from collections.abc import Callable
from typing import Any, Final

from trunkline.v1 import ToolKind
from trunkline_server.dialects.dialect import MalformedFrameError
from trunkline_server.dialects.json_values import Json, json_text, object_in, read_object, text_in

CALL_MEMBERS: Final = frozenset({"index", "id", "type", "function", "custom"})

# Where the name and the arguments of a call stand, by its kind.
_CUSTOM: Final = ("custom", "input")
_FUNCTION: Final = ("function", "arguments")


class Call:
    """One tool call as far as it has come."""

    __slots__ = ("_named_by_us", "_pieces", "id", "kind", "name", "part")

    def __init__(self, part: int, call_id: str, name: str, kind: "ToolKind.ValueType", *, named_by_us: bool) -> None:
        self.part = part
        """The number of its part within the choice."""
        self.id = call_id
        self.name = name
        self.kind = kind
        self._named_by_us = named_by_us
        self._pieces: list[str] = []

    def append(self, arguments: str) -> None:
        """A further piece of its arguments."""
        self._pieces.append(arguments)

    def is_continued_by(self, call_id: str, name: str) -> bool:
        """Whether a delta at its index goes on with it; else another call reuses the index.

        Vendors that number no calls send each whole, all with index 0: a new id together with a name, another name,
        or a name once more without an id after arguments came. An id that changes without a name is noise.
        """
        if not name:
            return True
        if call_id and not self._named_by_us:
            return call_id == self.id
        return name == self.name and not self._pieces

    def is_malformed(self) -> bool:
        """Whether the arguments of a function are no JSON object. Nothing at all stands for an empty one."""
        if self.kind != ToolKind.TOOL_KIND_FUNCTION:
            return False
        arguments = "".join(self._pieces).strip()
        if not arguments:
            return False
        try:
            read_object(arguments.encode())
        except MalformedFrameError:
            return True
        return False


class Calls:
    """The tool calls of one choice, found again by whatever their deltas carry."""

    def __init__(self, new_id: Callable[[int], str]) -> None:
        self._new_id = new_id
        self._by_index: dict[Any, Call] = {}
        self._by_id: dict[str, Call] = {}
        self.all: list[Call] = []

    def find(self, entry: Json) -> Call | None:
        """The call that a delta goes on with; None if it begins one."""
        call_id, name = text_in(entry, "id"), name_of(entry)
        index = entry.get("index")
        if type(index) is int:
            call = self._by_index.get(index)
        else:
            call = self._by_id.get(call_id) or (self.all[-1] if self.all and not name else None)
        return call if call is not None and call.is_continued_by(call_id, name) else None

    def begin(self, entry: Json, part: int) -> Call:
        """The call that this entry begins, as the given part. It gets an id if the vendor gave none."""
        own_id = text_in(entry, "id")
        kind = ToolKind.TOOL_KIND_CUSTOM if _is_custom(entry) else ToolKind.TOOL_KIND_FUNCTION
        call = Call(part, own_id or self._new_id(len(self.all)), name_of(entry), kind, named_by_us=not own_id)
        self.all.append(call)
        self._by_index[entry.get("index")] = call
        self._by_id[call.id] = call
        return call


def name_of(entry: Json) -> str:
    """The tool's name; empty where the entry does not repeat it."""
    holder, _ = _CUSTOM if _is_custom(entry) else _FUNCTION
    return text_in(object_in(entry, holder), "name")


def arguments_of(entry: Json) -> str:
    """The piece of arguments in this entry; an object, which some vendors send instead of its text, as compact text."""
    holder, name = _CUSTOM if _is_custom(entry) else _FUNCTION
    function = object_in(entry, holder)
    value = function.get(name)
    return json_text(value) if type(value) is dict else text_in(function, name)


def _is_custom(entry: Json) -> bool:
    return entry.get("type") == "custom" or (entry.get("custom") is not None and entry.get("function") is None)
