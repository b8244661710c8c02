"""Answers of Claude's wire as events; streams and whole answers take one path."""

from typing import Final

from trunkline.v1 import FinishedEvent, ProviderState
from trunkline_server.dialects.anthropic.answer_blocks import Block, CallBlock, Place, new_block
from trunkline_server.dialects.anthropic.errors import read_error
from trunkline_server.dialects.anthropic.finish import finish_reason
from trunkline_server.dialects.anthropic.names import DIALECT
from trunkline_server.dialects.anthropic.usage import estimate_rest, fill_usage, tier_of
from trunkline_server.dialects.dialect import Ending, EventSink, MalformedFrameError
from trunkline_server.dialects.extras import keep_others
from trunkline_server.dialects.json_values import Json, json_text, object_in, objects_in, read_object, text_in
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import SseFrame

_MESSAGE_MEMBERS: Final = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"}
)
_EVENT_MEMBERS: Final = frozenset({"type", "delta", "usage", "message"})
_IN_BAND_STATUS: Final = 200
_TEXT_DELTA: Final = "text_delta"
_MAX_INDEX: Final = 2**31 - 1


class MessageDecoder:
    """Turns one attempt's answer into events; holds what must be remembered between frames.

    An answer is complete if it has a reason why it stopped. `message_stop` proves nothing, though nothing follows it.
    """

    def __init__(self, target: Target) -> None:
        self.finished = False
        self.done = False
        self.content_chars = 0
        self._target = target
        self._origin = ProviderState(provider=target.provider.name, model=target.model)
        self._whole = False
        self._started = False
        self._blocks: dict[int, Block] = {}
        self._seen: set[int] = set()
        self._parts = 0
        self._calls = False
        self._native_reason = ""
        self._stop: Json = {}
        # The last one is told at the end, and supersedes what was told at the beginning.
        self._usage: Json = {}
        self._extras: Json = {}

    def feed(self, frame: SseFrame, events: EventSink) -> None:
        if not frame.data:
            return
        event = read_object(frame.data)
        match event.get("type") or frame.event:
            case "content_block_delta":
                self._add_delta(event, events)
            case "content_block_start":
                self._begin_block(self._index(event), object_in(event, "content_block"), events)
            case "content_block_stop":
                self._end_block(self._index(event), events)
            case "message_start":
                self._start(object_in(event, "message"), events)
            case "message_delta":
                self._start({}, events)
                self._take_end(object_in(event, "delta"))
                self._take_usage(event)
                keep_others(self._extras, event, _EVENT_MEMBERS)
            case "message_stop":
                self.done = self.finished
            case "error":
                raise read_error(self._target, _IN_BAND_STATUS, {}, frame.data)
            case None | "":
                if event.get("error"):
                    raise read_error(self._target, _IN_BAND_STATUS, {}, frame.data)
                raise MalformedFrameError("an event has no type")
            case _:
                pass  # ping, and what is newer than this list: https://platform.claude.com/docs/en/api/versioning

    def whole(self, body: bytes, events: EventSink) -> None:
        self._whole = True
        message = read_object(body)
        if message.get("error") or message.get("type") == "error":
            raise read_error(self._target, _IN_BAND_STATUS, {}, body)
        if type(message.get("content")) is not list:
            raise MalformedFrameError("it has no content")
        blocks = objects_in(message, "content")
        self._start(message, events)
        for at, raw in enumerate(blocks):
            self._begin_block(at, raw, events, source=body)
            self.content_chars += len(str(raw.get("text") or raw.get("thinking") or raw.get("input") or ""))
        self.finished = True

    def close(self, events: EventSink) -> Ending:
        cut = not self.finished
        for block in self._blocks.values():
            block.end(events, cut=cut)
        self._blocks.clear()
        reason = finish_reason(self._native_reason, calls=self._calls)
        if self.finished and self._started:
            finished = events.add().choice_finished
            finished.finish_reason = reason
            finished.native_finish_reason = self._native_reason
            if stop_sequence := text_in(self._stop, "stop_sequence"):
                finished.stop_sequence = stop_sequence
            if details := self._stop.get("stop_details"):
                finished.finish_detail = _explanation(details)
                finished.extensions[DIALECT] = json_text({"stop_details": details})
        return Ending(
            complete=self.finished and self._started,
            finished=self._finished_event(cut=cut),
            finish_reasons=[reason] if self._started else [],
        )

    def _start(self, message: Json, events: EventSink) -> None:
        if self._started:
            return
        # What can fail is read first: an answer whose beginning cannot be read has not begun.
        response_id, model = text_in(message, "id"), text_in(message, "model")
        if not message.keys() <= _MESSAGE_MEMBERS:
            keep_others(self._extras, message, _MESSAGE_MEMBERS)
        self._take_usage(message)
        self._take_end(message)
        self._started = True
        started = events.add().started
        started.SetInParent()
        started.provider_response_id, started.model = response_id, model

    def _begin_block(self, index: int, raw: Json, events: EventSink, *, source: bytes = b"") -> None:
        if index in self._seen:
            raise MalformedFrameError("a block begins twice")
        if not self._started:
            self._start({}, events)
        place = Place(self._parts, events, whole=self._whole, source=source, at=index)
        block = new_block(raw, place, self._origin)
        self._parts += 1
        self._seen.add(index)
        self._blocks[index] = block
        self._calls = self._calls or isinstance(block, CallBlock)

    def _add_delta(self, event: Json, events: EventSink) -> None:
        block = self._blocks.get(self._index(event))
        delta = event.get("delta")
        if block is None or type(delta) is not dict:
            raise MalformedFrameError("a piece belongs to no open block, or is no object")
        self.content_chars += block.take(text_in(delta, "type"), delta, events)

    def _end_block(self, index: int, events: EventSink) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            raise MalformedFrameError("a block ends that is not open")
        block.end(events, cut=False)

    def _index(self, event: Json) -> int:
        index = event.get("index")
        if type(index) is not int or not 0 <= index <= _MAX_INDEX:
            raise MalformedFrameError("a block has no proper index")
        return index

    def _take_end(self, delta: Json) -> None:
        """Why it stopped, from a delta or a whole message."""
        if reason := text_in(delta, "stop_reason"):
            self._native_reason = reason
            self.finished = True
        if stop := {name: delta[name] for name in ("stop_sequence", "stop_details") if delta.get(name)}:
            text_in(stop, "stop_sequence")
            object_in(stop, "stop_details")
            json_text([[[stop]]])  # at the end it would be too late to find that it is nested too deeply
            self._stop |= stop
        if delta.get("container"):
            keep_others(self._extras, {"container": delta["container"]}, ())

    def _take_usage(self, holder: Json) -> None:
        usage = holder.get("usage")
        if type(usage) is dict:
            json_text([[[usage]]])
            self._usage |= {name: value for name, value in usage.items() if value is not None}

    def _finished_event(self, *, cut: bool) -> FinishedEvent:
        finished = FinishedEvent()
        if self._usage:
            fill_usage(finished.usage, self._usage)
            if cut:
                estimate_rest(finished.usage, self.content_chars)
            finished.service_tier = tier_of(self._usage)
        if self._extras:
            finished.extensions[DIALECT] = json_text(self._extras)
        return finished


def _explanation(details: Json) -> str:
    explanation = details.get("explanation")
    return explanation if type(explanation) is str else ""
