"""A message of an answer: texts and refusals, each a part of its own."""

from collections.abc import Mapping
from typing import Final

from trunkline.v1 import Part, Phase
from trunkline_server.dialects.dialect import EventSink
from trunkline_server.dialects.json_values import Json, json_text, objects_in, text_in
from trunkline_server.dialects.openai_responses.citations import fill_citation
from trunkline_server.dialects.openai_responses.names import DIALECT
from trunkline_server.dialects.openai_responses.parts import Parts, keep, missing, rename
from trunkline_server.dialects.token_logprobs import fill_logprobs

_PHASES: Final[Mapping[str, "Phase.ValueType"]] = {
    "commentary": Phase.PHASE_COMMENTARY,
    "final_answer": Phase.PHASE_FINAL_ANSWER,
}
# Types of content, and the pieces of which they are made: both the event's field and the wire's member.
_KINDS: Final[Mapping[str, str]] = {"output_text": "text", "text": "text", "refusal": "refusal"}
_KNOWN: Final = frozenset({"type", "text", "refusal", "annotations", "logprobs", "parsed"})

TEXT: Final = "text"
REFUSAL: Final = "refusal"


class Content:
    """One entry of a message's content."""

    __slots__ = ("cited", "kind", "part", "said", "whole")

    def __init__(self, part: int, kind: str) -> None:
        self.part = part
        """The number of its part."""
        self.kind = kind
        self.said: list[str] = []
        """The pieces so far."""
        self.cited = 0
        self.whole: Json = {}
        """The entry as it was told last."""


class MessageItem:
    """A message as far as it has come. Its parts end together, with the message."""

    __slots__ = ("_contents", "_id", "_parts", "_phase", "done", "type")

    def __init__(self, item: Json, parts: Parts) -> None:
        self.done = False
        self.type = "message"
        self._parts = parts
        self._id = text_in(item, "id")
        self._phase = _phase_of(item)
        self._contents: dict[int, Content] = {}

    def content(self, index: int, kind: str, events: EventSink) -> Content:
        """The entry at this place; it begins if it is new."""
        content = self._contents.get(index)
        if content is None:
            content, _ = self._begin(index, kind, events)
        return content

    def add(self, index: int, raw: Json, events: EventSink) -> None:
        """An entry begins; what it holds is told again when it ends."""
        if not self.done and (kind := _KINDS.get(text_in(raw, "type"))) is not None:
            self.content(index, kind, events)

    def say(self, index: int, kind: str, piece: str, events: EventSink) -> int:
        """A piece of a text or refusal."""
        if self.done or not piece:
            return 0
        content = self.content(index, kind, events)
        if not content.kind:
            return 0
        content.said.append(piece)
        setattr(events.add(part=content.part), content.kind, piece)
        return len(piece)

    def cite(self, index: int, raw: Json, events: EventSink) -> None:
        """A source of the text at this place."""
        if self.done:
            return
        content = self.content(index, TEXT, events)
        if content.kind != TEXT:
            return
        content.cited += 1
        update = events.add(part=content.part).part_update
        fill_citation(update.citations.add(), raw, self._parts.origin.provider)

    def end(self, index: int, raw: Json, events: EventSink) -> int:
        """An entry is told whole: the rest of its words is given."""
        kind = _KINDS.get(text_in(raw, "type"))
        if self.done:
            return 0
        content = self._contents.get(index)
        if kind is None:
            if content is None:
                self._keep_unknown(index, raw, events)
            return 0
        if content is None:
            content, part = self._begin(index, kind, events)
            if self._parts.whole:
                setattr(part, kind, text_in(raw, kind))
                content.said.append(text_in(raw, kind))
        content.whole = raw
        return self.say(index, kind, missing(content.said, text_in(raw, content.kind)), events)

    def complete(self, item: Json, events: EventSink) -> int:
        phase, self._phase = self._phase, _phase_of(item) or self._phase
        chars = sum(self.end(index, raw, events) for index, raw in enumerate(objects_in(item, "content")))
        self._close(events, item, is_new_phase=phase != self._phase)
        return chars

    def close(self, events: EventSink) -> None:
        self._close(events, {}, is_new_phase=False)

    def _begin(self, index: int, kind: str, events: EventSink) -> tuple[Content, Part]:
        number, part = self._parts.begin(self._id, events)
        setattr(part, kind, "")
        if self._phase:
            part.phase = self._phase
        content = self._contents[index] = Content(number, kind)
        return content, part

    def _keep_unknown(self, index: int, raw: Json, events: EventSink) -> None:
        """Content of a kind that is newer than this gateway."""
        number, part = self._parts.begin(self._id, events)
        part.opaque.dialect, part.opaque.type, part.opaque.native = DIALECT, text_in(raw, "type"), json_text(raw)
        self._contents[index] = Content(number, "")

    def _close(self, events: EventSink, item: Json, *, is_new_phase: bool) -> None:
        if self.done:
            return
        self.done = True
        for content in self._contents.values():
            event = events.add()
            if content.part:  # that it is 0 need not be said
                event.part = content.part
            part = event.part_done
            part.SetInParent()
            rename(part, self._id, item)
            if is_new_phase:
                part.phase = self._phase
            self._fill(part, content)

    def _fill(self, part: Part, content: Content) -> None:
        """What stands beside the words. Log probabilities with the bytes of their tokens are told only at the end."""
        raw = content.whole
        for annotation in objects_in(raw, "annotations")[content.cited :]:
            fill_citation(part.citations.add(), annotation, self._parts.origin.provider)
        if tokens := objects_in(raw, "logprobs"):
            fill_logprobs(part.logprobs, tokens)
        if not raw.keys() <= _KNOWN:
            keep(part, {name: value for name, value in raw.items() if name not in _KNOWN and value is not None})


def _phase_of(item: Json) -> "Phase.ValueType":
    return _PHASES.get(text_in(item, "phase"), Phase.PHASE_UNSPECIFIED)
