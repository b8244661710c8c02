"""The parts of an answer as they are begun and ended, in the order of their numbers."""

from typing import Final

from trunkline.v1 import Part, ProviderState
from trunkline_server.dialects.dialect import EventSink
from trunkline_server.dialects.json_values import Json, json_text, text_in
from trunkline_server.dialects.openai_responses.names import DIALECT


class Parts:
    """Numbers the parts of one answer, and says in each where it comes from."""

    __slots__ = ("_count", "origin", "whole")

    def __init__(self, origin: ProviderState) -> None:
        self.origin: Final = origin
        """The provider and the model that speak."""
        self.whole = False
        """The answer did not come as a stream: what is said stands in a part from its start, not in pieces."""
        self._count = 0

    def begin(self, item_id: str, events: EventSink) -> tuple[int, Part]:
        """A new part of the item with this id, for its content to be filled in, and its number."""
        number = self._count
        self._count += 1
        event = events.add()
        if number:  # that it is 0 need not be said
            event.part = number
        started = event.part_started
        started.state.CopyFrom(self.origin)
        started.state.id = item_id
        return number, started


def rename(part: Part, before: str, item: Json) -> None:
    """Gives a part the id that its item has at its end, where it had another: that one counts."""
    after = text_in(item, "id")
    if after and after != before:
        part.state.id = after


def keep(part: Part, others: Json) -> None:
    """Puts members that the contract has no field for into the part."""
    if others:
        part.extensions[DIALECT] = json_text(others)


def missing(said: list[str], whole: str) -> str:
    """What of a text that is told whole at its end has not been said before: nothing, if it was said in other words."""
    if not said:
        return whole
    before = "".join(said)
    return whole[len(before) :] if whole.startswith(before) else ""
