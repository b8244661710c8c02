"""Blocks of an answer, from pieces of a stream or whole, as parts and events."""

import json
from typing import Final

from trunkline.v1 import Part, ProviderState, StateKind, ToolKind
from trunkline_server.dialects.anthropic.citations import fill_citation
from trunkline_server.dialects.anthropic.names import ANSWER_TOOL, DIALECT
from trunkline_server.dialects.dialect import EventSink, MalformedFrameError
from trunkline_server.dialects.exact_json import exact_text
from trunkline_server.dialects.json_values import Json, json_text, object_in, objects_in, text_in

_SERVER_CALLS: Final = ("server_tool_use", "mcp_tool_use")
_SERVER_RESULT: Final = "_tool_result"
_FAILED: Final = "_error"
_DIRECT: Final = {"type": "direct"}


class Place:
    """Where a block's events go, and what its source is."""

    __slots__ = ("at", "events", "part", "source", "whole")

    def __init__(self, part: int, events: EventSink, *, whole: bool, source: bytes = b"", at: int = 0) -> None:
        self.part = part
        self.events = events
        self.whole = whole
        """Whether the block comes whole: then all of it stands in `part_started`."""
        self.source = source
        self.at = at
        """Of a whole answer: the block's number in it."""


class Block:
    """A block of which nothing is known: kept as it is, pieces merged into it, for its provider alone."""

    known: frozenset[str] = frozenset()

    def __init__(self, raw: Json, place: Place, origin: ProviderState) -> None:
        self._raw = raw
        self._part = place.part
        self._whole = place.whole
        self._origin = origin
        self._others: Json = {}
        if not raw.keys() <= self.known:
            self._others = {name: value for name, value in raw.items() if name not in self.known and value is not None}
        started = place.events.add(part=place.part).part_started
        started.SetInParent()
        self.begin(started, place)
        if place.whole:
            self._put_others(started)

    def begin(self, started: Part, place: Place) -> None:
        """Fills the part as far as it is known."""
        started.opaque.dialect = DIALECT
        started.opaque.type = text_in(self._raw, "type")
        self._others = {}
        if place.whole:
            started.opaque.native = exact_text(self._raw, place.source, "content", place.at)

    def take(self, kind: str, delta: Json, events: EventSink) -> int:
        """A piece of it; returns how many characters of content it holds."""
        del kind, events
        for name, value in delta.items():
            present = self._raw.get(name)
            if name != "type" and value is not None:
                self._raw[name] = present + value if type(present) is type(value) is str else value
        return 0

    def end(self, events: EventSink, *, cut: bool) -> None:
        """It is complete, or nothing more comes of it."""
        done = events.add(part=self._part).part_done
        done.SetInParent()
        if not self._whole:
            self._finish(done, cut=cut)
            self._put_others(done)

    def _finish(self, done: Part, *, cut: bool) -> None:
        """What of a streamed block is known only at its end."""
        del cut
        done.opaque.native = json_text(self._raw)

    def _keep(self, delta: Json) -> None:
        """A piece of a kind that this block is not known to have."""
        self._others |= {name: value for name, value in delta.items() if name != "type"}

    def _put_others(self, part: Part) -> None:
        if self._others:
            part.extensions[DIALECT] = json_text(self._others)


class TextBlock(Block):
    """Words of the answer, and the sources that they rest on."""

    known = frozenset({"type", "text", "citations"})

    def begin(self, started: Part, place: Place) -> None:
        text = text_in(self._raw, "text")
        started.text = text if place.whole else ""
        for cited in objects_in(self._raw, "citations"):
            fill_citation(started.citations.add(), cited, self._origin.provider)
        if text and not place.whole:
            place.events.add(part=self._part, text=text)

    def take(self, kind: str, delta: Json, events: EventSink) -> int:
        if kind == "text_delta":
            if text := text_in(delta, "text"):
                events.add(part=self._part, text=text)
            return len(text)
        if kind == "citations_delta":
            cited = object_in(delta, "citation")
            fill_citation(events.add(part=self._part).part_update.citations.add(), cited, self._origin.provider)
        else:
            self._keep(delta)
        return 0

    def _finish(self, done: Part, *, cut: bool) -> None:
        pass


class ThinkingBlock(Block):
    """What the model thought, often without a word of it shown, and the signature over it."""

    known = frozenset({"type", "thinking", "signature"})

    def begin(self, started: Part, place: Place) -> None:
        text = text_in(self._raw, "thinking")
        self._signature = text_in(self._raw, "signature")
        started.reasoning.SetInParent()
        if place.whole:
            started.reasoning.text = text
            self._sign(started)
        elif text:
            place.events.add(part=self._part).reasoning = text

    def take(self, kind: str, delta: Json, events: EventSink) -> int:
        if kind == "thinking_delta":
            if text := text_in(delta, "thinking"):
                events.add(part=self._part).reasoning = text
            return len(text)
        if kind == "signature_delta":
            self._signature += text_in(delta, "signature")
        else:
            self._keep(delta)
        return 0

    def _finish(self, done: Part, *, cut: bool) -> None:
        if not cut:
            self._sign(done)

    def _sign(self, part: Part) -> None:
        if self._signature:
            part.state.CopyFrom(self._origin)
            part.state.kind = StateKind.STATE_KIND_ANTHROPIC_SIGNATURE
            part.state.data = self._signature.encode("utf-8", "surrogatepass")


class RedactedBlock(Block):
    """Thinking that is hidden on purpose, and must go back all the same."""

    known = frozenset({"type", "data"})

    def begin(self, started: Part, place: Place) -> None:
        del place
        started.reasoning.redacted = True
        started.state.CopyFrom(self._origin)
        started.state.kind = StateKind.STATE_KIND_ANTHROPIC_REDACTED
        started.state.data = text_in(self._raw, "data").encode("utf-8", "surrogatepass")

    def take(self, kind: str, delta: Json, events: EventSink) -> int:
        del kind, events
        self._keep(delta)
        return 0

    def _finish(self, done: Part, *, cut: bool) -> None:
        pass


class InputBlock(Block):
    """What has an input, which a stream gives as pieces of JSON: the base of calls."""

    def begin(self, started: Part, place: Place) -> None:
        given = object_in(self._raw, "input")
        self._pieces: list[str] = []
        if place.whole:
            self.fill(started, exact_text(given, place.source, "content", place.at, "input") if given else "{}", place)
        else:
            self.fill(started, "", place)
            if given:  # some that copy this wire give it all at once
                self._give(json_text(given), place.events)

    def fill(self, started: Part, text: str, place: Place) -> None:
        """Makes the part what it is; `text` is the input, empty while it is still to come."""
        raise NotImplementedError

    def take(self, kind: str, delta: Json, events: EventSink) -> int:
        if kind != "input_json_delta":
            self._keep(delta)
            return 0
        if piece := text_in(delta, "partial_json"):
            self._give(piece, events)
        return len(piece)

    def end(self, events: EventSink, *, cut: bool) -> None:
        if not (self._whole or self._pieces or cut):
            self._give("{}", events)
        super().end(events, cut=cut)

    def _give(self, piece: str, events: EventSink) -> None:
        self._pieces.append(piece)
        events.add(part=self._part).arguments = piece

    def _input(self) -> object:
        """The input that the pieces amount to; None if it is no object."""
        try:
            value = json.loads("".join(self._pieces))
        except (ValueError, RecursionError):
            return None
        return value if type(value) is dict else None


class CallBlock(InputBlock):
    """A call of one of the client's tools."""

    known = frozenset({"type", "id", "name", "input", "caller"})

    def fill(self, started: Part, text: str, place: Place) -> None:
        call = started.tool_call
        call.id, call.name = text_in(self._raw, "id"), text_in(self._raw, "name")
        call.kind = ToolKind.TOOL_KIND_FUNCTION
        call.arguments = text
        caller = self._raw.get("caller")
        if caller not in (None, _DIRECT):
            self._others["caller"] = caller

    def _finish(self, done: Part, *, cut: bool) -> None:
        if self._input() is None:
            done.tool_call.malformed = True


class AnswerBlock(InputBlock):
    """The call that stands for an answer in the form of a schema: its input is the answer's text."""

    known = frozenset({"type", "id", "name", "input", "caller"})

    def fill(self, started: Part, text: str, place: Place) -> None:
        started.text = text

    def _give(self, piece: str, events: EventSink) -> None:
        self._pieces.append(piece)
        events.add(part=self._part, text=piece)

    def _finish(self, done: Part, *, cut: bool) -> None:
        pass


class ServerCallBlock(InputBlock):
    """A call of a tool that the provider runs."""

    def fill(self, started: Part, text: str, place: Place) -> None:
        self._others = {}
        call = started.server_tool_call
        call.id, call.name, call.type = (text_in(self._raw, name) for name in ("id", "name", "type"))
        call.arguments = text
        call.provider = self._origin.provider
        if place.whole:
            call.native = exact_text(self._raw, place.source, "content", place.at)

    def _finish(self, done: Part, *, cut: bool) -> None:
        found = self._input()
        if found is not None:
            done.server_tool_call.native = json_text({**self._raw, "input": found} | self._others)
        self._others = {}


class ServerResultBlock(Block):
    """What such a tool gave back. It comes whole, in streams as well."""

    def begin(self, started: Part, place: Place) -> None:
        self._others = {}
        result, raw = started.server_tool_result, self._raw
        result.call_id, result.type = text_in(raw, "tool_use_id"), text_in(raw, "type")
        result.name = result.type.removesuffix(_SERVER_RESULT)
        content = raw.get("content")
        if type(content) is dict:
            result.is_error = str(content.get("type", "")).endswith(_FAILED)
        elif type(content) is list:
            for piece in content:
                if type(piece) is dict and piece.get("type") == "text":
                    result.parts.add(text=text_in(piece, "text"))
        result.is_error = result.is_error or raw.get("is_error") is True
        result.provider = self._origin.provider
        if place.whole:
            result.native = exact_text(raw, place.source, "content", place.at)

    def _finish(self, done: Part, *, cut: bool) -> None:
        done.server_tool_result.native = json_text(self._raw)


_BLOCKS: Final[dict[str, type[Block]]] = {
    "text": TextBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedBlock,
    "tool_use": CallBlock,
    **dict.fromkeys(_SERVER_CALLS, ServerCallBlock),
}


def new_block(raw: Json, place: Place, origin: ProviderState) -> Block:
    """The block that `raw` is or, in a stream, begins."""
    kind = text_in(raw, "type")
    if not kind:
        raise MalformedFrameError("a block has no type")
    if kind == "tool_use" and raw.get("name") == ANSWER_TOOL:
        return AnswerBlock(raw, place, origin)
    found = _BLOCKS.get(kind) or (ServerResultBlock if kind.endswith(_SERVER_RESULT) else Block)
    return found(raw, place, origin)
