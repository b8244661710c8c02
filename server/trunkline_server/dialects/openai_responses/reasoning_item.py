"""The thinking of an answer: paragraphs of a summary, the text itself where it is shown, and the state for replay."""

from typing import Final

from trunkline.v1 import Part, StateKind
from trunkline_server.dialects.dialect import EventSink
from trunkline_server.dialects.json_values import Json, objects_in, text_in
from trunkline_server.dialects.openai_responses.parts import Parts, keep, missing, rename

_KNOWN: Final = frozenset({"type", "id", "summary", "content", "encrypted_content", "status"})
_MAX_PARAGRAPHS: Final = 4096


class ReasoningItem:
    """A reasoning item as far as it has come."""

    __slots__ = ("_id", "_part", "_parts", "_started", "_summary", "_text", "done", "type")

    def __init__(self, item: Json, parts: Parts, events: EventSink) -> None:
        self.done = False
        self.type = "reasoning"
        self._parts = parts
        self._id = text_in(item, "id")
        self._part, self._started = parts.begin(self._id, events)
        self._started.reasoning.SetInParent()
        self._summary: dict[int, list[str]] = {}
        self._text: dict[int, list[str]] = {}

    def say(self, index: int, piece: str, events: EventSink) -> int:
        """A piece of the thinking itself."""
        if self.done or not piece:
            return 0
        self._text.setdefault(index, []).append(piece)
        if self._parts.whole:
            self._started.reasoning.text += piece
        else:
            events.add(part=self._part).reasoning = piece
        return len(piece)

    def summarize(self, index: int, piece: str, events: EventSink) -> int:
        """A piece of a paragraph of the summary."""
        if self.done or not piece or not 0 <= index < _MAX_PARAGRAPHS:
            return 0
        self._summary.setdefault(index, []).append(piece)
        if self._parts.whole:
            self._started.reasoning.summary.append(piece)
        else:
            summary = events.add(part=self._part).summary
            summary.paragraph, summary.text = index, piece
        return len(piece)

    def end_text(self, index: int, whole: str, events: EventSink) -> int:
        """The thinking at this place is told whole."""
        return self.say(index, missing(self._text.get(index, []), whole), events)

    def end_summary(self, index: int, whole: str, events: EventSink) -> int:
        """A paragraph is told whole."""
        return self.summarize(index, missing(self._summary.get(index, []), whole), events)

    def complete(self, item: Json, events: EventSink) -> int:
        if self.done:
            return 0
        chars = 0
        for index, entry in enumerate(objects_in(item, "summary")):
            chars += self.end_summary(index, text_in(entry, "text"), events)
        for index, entry in enumerate(objects_in(item, "content")):
            chars += self.end_text(index, text_in(entry, "text"), events)
        part = self._end(events)
        rename(part, self._id, item)
        if encrypted := text_in(item, "encrypted_content"):
            part.state.kind, part.state.data = StateKind.STATE_KIND_OPENAI_ENCRYPTED, encrypted.encode()
        keep(part, {name: value for name, value in item.items() if name not in _KNOWN and value is not None})
        return chars

    def close(self, events: EventSink) -> None:
        if not self.done:
            self._end(events)

    def _end(self, events: EventSink) -> Part:
        self.done = True
        part = events.add(part=self._part).part_done
        part.SetInParent()
        if self._text:
            part.state.kind = StateKind.STATE_KIND_PLAIN_TEXT  # unless it turns out to be encrypted as well
        return part
