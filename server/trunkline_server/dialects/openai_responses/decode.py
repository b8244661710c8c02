"""Answers of the Responses wire as events; streams and whole answers take one path."""

import secrets
from collections.abc import Mapping
from typing import Final

from trunkline.errors import GatewayError, ProviderBadAnswerError, ProviderUnavailableError
from trunkline.v1 import FinishedEvent, FinishReason, ProviderState
from trunkline_server.dialects.dialect import Ending, EventSink, MalformedFrameError
from trunkline_server.dialects.json_values import Json, json_text, object_in, read_object, text_in
from trunkline_server.dialects.made_ids import made_call_id
from trunkline_server.dialects.openai_responses.errors import read_error
from trunkline_server.dialects.openai_responses.finish import (
    COMPLETED,
    FAILURES,
    INCOMPLETE,
    UNFINISHED,
    finish_reason,
)
from trunkline_server.dialects.openai_responses.item_events import ITEM_EVENTS
from trunkline_server.dialects.openai_responses.names import DIALECT
from trunkline_server.dialects.openai_responses.output import Output
from trunkline_server.dialects.openai_responses.usage import fill_tool_usage, fill_usage, is_usage
from trunkline_server.dialects.reported_cost import reported_cost
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import SseFrame

_DONE: Final = b"[DONE]"
_IN_BAND_STATUS: Final = 200
_MS_PER_S: Final = 1000
_MAX_CREATED_S: Final = 2**43
_NOTHING: Final[tuple[object, ...]] = (None, [], {}, "")

# https://platform.openai.com/docs/api-reference/responses-streaming: what tells of the answer as a whole.
_BEGINNINGS: Final = frozenset({"response.created", "response.queued", "response.in_progress"})
_ENDS: Final[Mapping[str, str]] = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
_ERROR: Final = "error"
_EVENT_MEMBERS: Final = frozenset({"type", "sequence_number"})

# What is read, and what only repeats the request.
_READ: Final = frozenset(
    {
        "id",
        "object",
        "created_at",
        "completed_at",
        "status",
        "error",
        "incomplete_details",
        "model",
        "output",
        "output_text",
        "usage",
        "service_tier",
    }
)
_ECHOED: Final = frozenset(
    {
        "access_programs",
        "background",
        "frequency_penalty",
        "image",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "parallel_tool_calls",
        "presence_penalty",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "store",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
_KNOWN: Final = _READ | _ECHOED


class ResponsesDecoder:
    """Turns one attempt's answer into events; holds what must be remembered between frames.

    Only the event that tells how the answer ended completes it; a stream that ends without is cut off.
    """

    def __init__(self, target: Target) -> None:
        self.finished = False
        self.done = False
        self.content_chars = 0
        self._target = target
        self._output = Output(
            ProviderState(provider=target.provider.name, model=target.model),
            lambda index: made_call_id(self._id or self._made_id(), 0, index),
        )
        self._started = False
        self._id = ""
        self._native_reason = ""
        self._service_tier = ""
        self._usage: Json | None = None
        self._usage_source = b""
        self._tool_usage: Json = {}
        self._extras: Json = {}

    def feed(self, frame: SseFrame, events: EventSink) -> None:
        data = frame.data
        if not data:
            return
        if data.startswith(_DONE):
            self.done = True
            return
        event = read_object(data)
        kind = text_in(event, "type") or frame.event
        if (take := ITEM_EVENTS.get(kind)) is not None:
            if not self._started:
                self._start({}, events)
            self.content_chars += take(self._output, event, events)
        elif kind in _BEGINNINGS:
            self._start(object_in(event, "response"), events)
        elif kind in _ENDS:
            answer = object_in(event, "response")
            self._end({**answer, "status": text_in(answer, "status") or _ENDS[kind]}, data, events)
        elif kind == _ERROR or event.get("error"):
            raise self._failure(event)

    def whole(self, body: bytes, events: EventSink) -> None:
        answer = read_object(body)
        if answer.get("error") and not answer.get("output"):
            raise self._failure(answer)
        if type(answer.get("output")) is not list and text_in(answer, "status") not in UNFINISHED | FAILURES:
            raise MalformedFrameError("it has no output")
        self._output.expect_whole()
        self._end(answer, body, events)

    def close(self, events: EventSink) -> Ending:
        self._output.close(events)
        reason = FinishReason.FINISH_REASON_UNSPECIFIED
        if self.finished:
            reason = finish_reason(self._native_reason, calls=self._output.has_calls)
            finished = events.add().choice_finished
            finished.finish_reason = reason
            finished.native_finish_reason = self._native_reason
        return Ending(complete=self.finished, finished=self._finished_event(), finish_reasons=[reason])

    def _start(self, answer: Json, events: EventSink) -> None:
        if self._started:
            return
        self._started = True
        self._id = text_in(answer, "id")
        started = events.add().started
        started.SetInParent()
        started.provider_response_id, started.model = self._id, text_in(answer, "model")
        created = answer.get("created_at")
        if isinstance(created, int | float) and 0 <= created <= _MAX_CREATED_S:
            started.created_at_ms = int(created * _MS_PER_S)

    def _end(self, answer: Json, source: bytes, events: EventSink) -> None:
        status = text_in(answer, "status")
        if is_usage(usage := answer.get("usage")):
            self._usage, self._usage_source = usage, source
        if status in FAILURES or (answer.get("error") and status not in COMPLETED):
            raise self._failure(answer)
        if status in UNFINISHED:
            raise ProviderBadAnswerError(
                f"provider {self._target.provider.name} answers later, and the gateway does not wait for it: {status}",
                provider_code=status,
                target=self._target.name,
            )
        self._start(answer, events)
        self.content_chars += self._output.complete_all(answer, events)
        self._native_reason = status
        if status == INCOMPLETE:
            self._native_reason = text_in(object_in(answer, "incomplete_details"), "reason") or status
        self._service_tier = text_in(answer, "service_tier")
        self._tool_usage = object_in(answer, "tool_usage")
        self._extras = {}
        if not answer.keys() <= _KNOWN:
            self._extras = {
                name: value for name, value in answer.items() if name not in _KNOWN and value not in _NOTHING
            }
            # They are written at the end, where it is too late to find that they cannot be.
            json_text([[[self._extras]]])
        self.finished = True

    def _failure(self, answer: Json) -> GatewayError:
        """A failure told in an answer that began well."""
        error = answer.get("error")
        if not error and answer.get("type") == _ERROR:
            error = {name: value for name, value in answer.items() if name not in _EVENT_MEMBERS}
        if not error:
            word = text_in(answer, "status")
            return ProviderUnavailableError(
                f"provider {self._target.provider.name} gave up its answer: {word}",
                provider_code=word,
                target=self._target.name,
            )
        return read_error(self._target, _IN_BAND_STATUS, {}, json_text({"error": error}).encode())

    def _made_id(self) -> str:
        """An id for an answer that has none, of which those of its calls are made."""
        self._id = secrets.token_hex(8)
        return self._id

    def _finished_event(self) -> FinishedEvent:
        finished = FinishedEvent()
        if self._service_tier:
            finished.service_tier = self._service_tier
        if self._usage is not None:
            fill_usage(finished.usage, self._usage, self._usage_source)
            if self._tool_usage:
                fill_tool_usage(finished.usage, self._tool_usage)
            reported = self._target.provider.kind.responses.cost
            if reported is not None and (cost := reported_cost(reported, finished.usage.native)) is not None:
                finished.cost.CopyFrom(cost)
        if self._extras:
            finished.extensions[DIALECT] = json_text(self._extras)
        return finished
