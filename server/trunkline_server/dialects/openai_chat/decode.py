"""Answers of the chat completions wire as events; streams and whole answers take one path."""

import secrets
from typing import Any, Final

from trunkline.errors import GatewayError
from trunkline.v1 import FinishedEvent, ProviderState, StateKind
from trunkline_server.dialects.dialect import Ending, EventSink, MalformedFrameError
from trunkline_server.dialects.extras import keep_others
from trunkline_server.dialects.json_values import Json, json_text, object_in, read_object, text_in
from trunkline_server.dialects.made_ids import made_call_id
from trunkline_server.dialects.openai_chat.choice import MS_PER_S, ChoiceDecoder
from trunkline_server.dialects.openai_chat.errors import read_error
from trunkline_server.dialects.openai_chat.finish import FAULTS
from trunkline_server.dialects.openai_chat.names import DIALECT
from trunkline_server.dialects.openai_chat.padding import PADDING
from trunkline_server.dialects.openai_chat.usage import fill_usage, is_usage
from trunkline_server.dialects.reported_cost import reported_cost
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import SseFrame

_ANSWER_MEMBERS: Final = PADDING | {
    "id",
    "object",
    "created",
    "model",
    "choices",
    "usage",
    "service_tier",
    "system_fingerprint",
}
_DONE: Final = b"[DONE]"
_IN_BAND_STATUS: Final = 200
_MAX_CHOICE: Final = 2**31 - 1
_MAX_CREATED_S: Final = 2**43


class ChatDecoder:
    """Turns one attempt's answer into events; holds what must be remembered between frames."""

    def __init__(self, target: Target) -> None:
        self.finished = False
        self.done = False
        self.content_chars = 0
        self._target = target
        # The reasoning itself must come back to those who want it back at all, and to nobody else.
        self._origin = ProviderState(
            kind=StateKind.STATE_KIND_PLAIN_TEXT, provider=target.provider.name, model=target.model
        )
        self._whole = False
        self._choices: dict[int, ChoiceDecoder] = {}
        self._id = ""
        self._service_tier: str | None = None
        self._system_fingerprint: str | None = None
        # Counted anew by some with every chunk: the last object counts, wherever it stands, until the very end.
        self._usage: Json | None = None
        self._usage_source = b""
        self._extras: Json = {}

    def feed(self, frame: SseFrame, events: EventSink) -> None:
        data = frame.data
        if not data:
            return
        if data.startswith(_DONE):
            self.done = True
            return
        if frame.event == "error":
            raise self._failure(data)
        self._take(read_object(data), data, events)

    def whole(self, body: bytes, events: EventSink) -> None:
        self._whole = True
        answer = read_object(body)
        self._take(answer, body, events)
        if "choices" not in answer:
            raise MalformedFrameError("it has no choices")

    def close(self, events: EventSink) -> Ending:
        choices = [self._choices[index] for index in sorted(self._choices)]
        for choice in choices:
            # A body that could be read is whole: nothing was cut off, even if no reason is given for its end.
            choice.finished = choice.finished or self._whole
            choice.close(events)
        return Ending(
            complete=bool(choices) and all(choice.finished for choice in choices),
            finished=self._finished_event(),
            finish_reasons=[choice.reason for choice in choices],
        )

    def _take(self, answer: Json, source: bytes, events: EventSink) -> None:
        """A chunk or a whole answer."""
        if not answer.keys() <= _ANSWER_MEMBERS:
            self._take_others(answer, source)
        if is_usage(usage := answer.get("usage")):
            self._usage, self._usage_source = usage, source
        self._service_tier = answer.get("service_tier") or self._service_tier
        self._system_fingerprint = answer.get("system_fingerprint") or self._system_fingerprint
        choices = answer.get("choices")
        if type(choices) is not list:
            if choices is None:
                return  # a ping
            raise MalformedFrameError("choices is not a list")
        for entry in choices:
            choice = self._choice(entry, answer, events)
            self.content_chars += choice.take(entry, events)
            if choice.finished:
                self._check_reason(entry, source)
                self.finished = all(choice.finished for choice in self._choices.values())

    def _choice(self, entry: Any, answer: Json, events: EventSink) -> ChoiceDecoder:  # noqa: ANN401 it is checked here
        if type(entry) is not dict:
            raise MalformedFrameError("a choice is not an object")
        index = entry.get("index") or 0
        choice = self._choices.get(index) if type(index) is int else None
        if choice is None:
            if type(index) is not int or not 0 <= index <= _MAX_CHOICE:
                raise MalformedFrameError("a choice has no proper index")
            if not self._choices:
                self._start(answer, events)
            choice = self._choices[index] = ChoiceDecoder(
                index,
                self._origin,
                lambda call: self._new_call_id(index, call),
                whole=self._whole,
                details=self._target.provider.kind.chat.reasoning_details,
            )
            self.finished = False
        return choice

    def _start(self, answer: Json, events: EventSink) -> None:
        """The answer begins with its first choice: Azure sends a chunk without one, and without id and model, first."""
        response_id, model = answer.get("id"), answer.get("model")
        self._id = response_id if type(response_id) is str else ""
        started = events.add().started
        started.SetInParent()
        started.provider_response_id = self._id
        started.model = model if type(model) is str else ""
        created = answer.get("created")
        if isinstance(created, int | float) and 0 <= created <= _MAX_CREATED_S:
            started.created_at_ms = int(created * MS_PER_S)

    def _take_others(self, answer: Json, source: bytes) -> None:
        if answer.get("error") or answer.get("object") == "error":
            raise self._failure(source)
        groq = answer.get("x_groq")
        if type(groq) is dict and is_usage(groq.get("usage")):
            self._usage, self._usage_source = groq["usage"], source
        keep_others(self._extras, answer, _ANSWER_MEMBERS)

    def _check_reason(self, entry: Json, source: bytes) -> None:
        """Raises if what stands for a finish reason tells of a fault."""
        native = text_in(entry, "finish_reason")
        fault = FAULTS.get(native.lower())
        if fault is None:
            return
        if object_in(entry, "error"):
            raise self._failure(json_text({"error": entry["error"]}).encode())
        raise fault(
            f"provider {self._target.provider.name} gave up its answer: {native}",
            provider_code=native,
            target=self._target.name,
        )

    def _failure(self, body: bytes) -> GatewayError:
        """A failure told in an answer that began well."""
        return read_error(self._target, _IN_BAND_STATUS, {}, body)

    def _new_call_id(self, choice: int, call: int) -> str:
        """An id for a call whose vendor gave none: the same for the same answer, another for any other."""
        self._id = self._id or secrets.token_hex(8)
        return made_call_id(self._id, choice, call)

    def _finished_event(self) -> FinishedEvent:
        finished = FinishedEvent()
        if self._usage is not None:
            fill_usage(finished.usage, self._usage, self._usage_source)
            reported = self._target.provider.kind.chat.cost
            if reported is not None and (cost := reported_cost(reported, finished.usage.native)) is not None:
                finished.cost.CopyFrom(cost)
        if isinstance(self._service_tier, str):
            finished.service_tier = self._service_tier
        if isinstance(self._system_fingerprint, str):
            finished.system_fingerprint = self._system_fingerprint
        if self._extras:
            finished.extensions[DIALECT] = json_text(self._extras)
        return finished
