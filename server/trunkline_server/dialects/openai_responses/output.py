"""The items of an answer, found by their places, as parts and events."""

from collections.abc import Callable
from typing import Final

from trunkline.v1 import ProviderState
from trunkline_server.dialects.dialect import EventSink, MalformedFrameError
from trunkline_server.dialects.json_values import Json, objects_in, text_in
from trunkline_server.dialects.openai_responses.call_item import CUSTOM, FUNCTION, CallItem
from trunkline_server.dialects.openai_responses.item import Item
from trunkline_server.dialects.openai_responses.message_item import MessageItem
from trunkline_server.dialects.openai_responses.parts import Parts
from trunkline_server.dialects.openai_responses.reasoning_item import ReasoningItem
from trunkline_server.dialects.openai_responses.step_item import StepItem

_ROLE: Final = "assistant"


class Output:
    """The items so far. Those of one answer may be open at once, and close in any order."""

    def __init__(self, origin: ProviderState, new_call_id: Callable[[int], str]) -> None:
        self._parts = Parts(origin)
        self._new_call_id = new_call_id
        self._items: dict[int, Item] = {}
        self._current = 0

    @property
    def has_calls(self) -> bool:
        """Whether the client is to run a tool."""
        return any(type(item) is CallItem for item in self._items.values())

    def place(self, event: Json) -> int:
        """The place of the item that an event is about. Without one, it is about the item begun last."""
        index = event.get("output_index")
        return index if type(index) is int else self._current

    def add(self, index: int, item: Json, events: EventSink) -> None:
        """An item begins."""
        if index not in self._items and self._is_answer(item):
            self._begin(index, item, events)

    def message(self, index: int) -> MessageItem:
        """The message at this place; it begins if nothing is there."""
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = MessageItem({}, self._parts)
            self._current = index
        if type(item) is not MessageItem:
            raise MalformedFrameError("a text stands in an item that is no message")
        return item

    def reasoning(self, index: int, events: EventSink) -> ReasoningItem:
        """The reasoning at this place; it begins if nothing is there."""
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = ReasoningItem({}, self._parts, events)
            self._current = index
        if type(item) is not ReasoningItem:
            raise MalformedFrameError("reasoning stands in an item that is none")
        return item

    def called(self, index: int) -> CallItem | StepItem | None:
        """The call or step at this place; None if it has not begun, and will be told whole."""
        item = self._items.get(index)
        return item if type(item) is CallItem or type(item) is StepItem else None

    def complete(self, index: int, item: Json, events: EventSink) -> int:
        """An item is told whole. Returns how many characters of content were new."""
        if not self._is_answer(item):
            return 0
        held = self._items.get(index)
        if held is None:
            held = self._begin(index, item, events)
        if held.done or held.type != text_in(item, "type"):
            return 0
        return held.complete(item, events)

    def expect_whole(self) -> None:
        """The answer does not come as a stream."""
        self._parts.whole = True

    def complete_all(self, answer: Json, events: EventSink) -> int:
        """The whole output is told, at the end. What had not been told before is given."""
        items = [item for item in objects_in(answer, "output") if self._is_answer(item)]
        chars = 0
        is_more = len(items) > len(self._items)
        for index, item in enumerate(items):
            # Where as many were told as there are, they are those, even if their places were numbered otherwise.
            if index in self._items or is_more:
                chars += self.complete(index, item, events)
        return chars

    def close(self, events: EventSink) -> None:
        """Ends what is open."""
        for item in self._items.values():
            item.close(events)

    def _is_answer(self, item: Json) -> bool:
        """Whether the model made it: a compaction repeats what the user said."""
        return text_in(item, "role") in ("", _ROLE)

    def _begin(self, index: int, item: Json, events: EventSink) -> Item:
        if index < 0:
            raise MalformedFrameError("an item has no proper place")
        self._current = index
        found: Item
        match text_in(item, "type"):
            case "message":
                found = MessageItem(item, self._parts)
            case "reasoning":
                found = ReasoningItem(item, self._parts, events)
            case kind if kind in (FUNCTION, CUSTOM):
                found = CallItem(item, self._parts, self._new_call_id(index), events)
            case _:
                found = StepItem(item, self._parts, events)
        self._items[index] = found
        return found
