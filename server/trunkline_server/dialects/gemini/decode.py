"""Answers of Gemini's wire as events; streams and whole answers take one path."""

import secrets
from datetime import datetime
from typing import Any, Final

import orjson

from trunkline.v1 import FinishedEvent, ProviderState, StateKind
from trunkline_server.dialects.dialect import Ending, EventSink, MalformedFrameError
from trunkline_server.dialects.gemini.candidate import CandidateDecoder
from trunkline_server.dialects.gemini.errors import read_error
from trunkline_server.dialects.gemini.finish import FAULTS
from trunkline_server.dialects.gemini.names import DIALECT
from trunkline_server.dialects.gemini.usage import fill_usage
from trunkline_server.dialects.json_values import Json, json_text, object_in, read_object, text_in
from trunkline_server.dialects.made_ids import made_call_id
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import SseFrame

_MEMBERS: Final = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId", "createTime"})
_FEEDBACK: Final = "promptFeedback"
_UNBLOCKED: Final = ("", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED")
_IN_BAND_STATUS: Final = 200
_MAX_CANDIDATE: Final = 2**31 - 1
_MS_PER_S: Final = 1000


class GeminiDecoder:
    """Turns one attempt's answer into events; holds what must be remembered between frames.

    A stream has no end marker: it is complete if every candidate had a finish reason.
    """

    def __init__(self, target: Target) -> None:
        self.finished = False
        self.done = False
        self.content_chars = 0
        self._target = target
        self._origin = ProviderState(
            kind=StateKind.STATE_KIND_GEMINI_THOUGHT_SIGNATURE, provider=target.provider.name, model=target.model
        )
        self._whole = False
        self._candidates: dict[int, CandidateDecoder] = {}
        self._id = ""
        # Each chunk may carry it, and only the last is right: the prompt was seen to grow in it.
        self._usage: Json | None = None
        self._extras: Json = {}

    def feed(self, frame: SseFrame, events: EventSink) -> None:
        if frame.data:
            self._take_all(frame.data, events)

    def whole(self, body: bytes, events: EventSink) -> None:
        self._whole = True
        self._take_all(body, events)
        if not self._candidates:
            raise MalformedFrameError("it has no candidates")

    def close(self, events: EventSink) -> Ending:
        candidates = [self._candidates[index] for index in sorted(self._candidates)]
        for candidate in candidates:
            # A body that could be read is whole: nothing was cut off, even if no reason is given for its end.
            candidate.finished = candidate.finished or self._whole
            candidate.close(events)
        return Ending(
            complete=bool(candidates) and all(candidate.finished for candidate in candidates),
            finished=self._finished_event(),
            finish_reasons=[candidate.reason for candidate in candidates],
        )

    def _take_all(self, source: bytes, events: EventSink) -> None:
        """A chunk, a whole answer, or the array that a stream is that was not asked for as events."""
        if not source.lstrip().startswith(b"["):
            self._take(read_object(source), source, events)
            return
        try:
            answers = orjson.loads(source)
        except orjson.JSONDecodeError as error:
            raise MalformedFrameError("it is not JSON") from error
        for answer in answers:
            if type(answer) is not dict:
                raise MalformedFrameError("it holds something else than answers")
            self._take(answer, orjson.dumps(answer), events)

    def _take(self, answer: Json, source: bytes, events: EventSink) -> None:
        if not answer.keys() <= _MEMBERS:
            self._take_others(answer, source, events)
        usage = answer.get("usageMetadata")
        if type(usage) is dict and usage:
            self._usage = usage
        candidates = answer.get("candidates")
        if type(candidates) is not list:
            if candidates is None:
                return
            raise MalformedFrameError("candidates is not a list")
        for at, entry in enumerate(candidates):
            candidate = self._candidate(entry, answer, events)
            self.content_chars += candidate.take(entry, source, at, events)
            if candidate.finished:
                self._check_reason(candidate)
                self.finished = all(candidate.finished for candidate in self._candidates.values())

    def _candidate(self, entry: Any, answer: Json, events: EventSink) -> CandidateDecoder:  # noqa: ANN401 it is checked here
        if type(entry) is not dict:
            raise MalformedFrameError("a candidate is not an object")
        index = entry.get("index") or 0
        candidate = self._candidates.get(index) if type(index) is int else None
        if candidate is None:
            if type(index) is not int or not 0 <= index <= _MAX_CANDIDATE:
                raise MalformedFrameError("a candidate has no proper index")
            candidate = self._begin(index, answer, events)
        return candidate

    def _begin(self, index: int, answer: Json, events: EventSink) -> CandidateDecoder:
        if not self._candidates:
            self._start(answer, events)
        self.finished = False
        self._candidates[index] = candidate = CandidateDecoder(
            index, self._origin, lambda call: self._new_call_id(index, call), whole=self._whole
        )
        return candidate

    def _start(self, answer: Json, events: EventSink) -> None:
        response_id, model = answer.get("responseId"), answer.get("modelVersion")
        self._id = response_id if type(response_id) is str else ""
        started = events.add().started
        started.SetInParent()
        started.provider_response_id = self._id
        started.model = model if type(model) is str else ""
        if (created := answer.get("createTime")) is not None:
            started.created_at_ms = _ms_of(created)

    def _take_others(self, answer: Json, source: bytes, events: EventSink) -> None:
        """What an answer holds beside candidates: a failure, or why there are none."""
        if answer.get("error"):
            raise read_error(self._target, _IN_BAND_STATUS, {}, source)
        for name, value in answer.items():
            if name not in _MEMBERS and value:
                json_text([[[value]]])  # at the end it would be too late to find that it is nested too deeply
                self._extras[name] = value
        feedback = object_in(answer, _FEEDBACK)
        reason = text_in(feedback, "blockReason")
        if reason in _UNBLOCKED:
            return
        explanation = text_in(feedback, "blockReasonMessage")
        if not self._candidates:
            self._begin(0, answer, events)
        for candidate in self._candidates.values():
            if not candidate.finished:
                candidate.block(reason, explanation)
        self.finished = True

    def _check_reason(self, candidate: CandidateDecoder) -> None:
        """Raises if what stands for a finish reason tells of a fault. The words beside it may quote the answer."""
        native = candidate.native_reason
        if (fault := FAULTS.get(native)) is not None:
            raise fault(
                f"provider {self._target.provider.name} gave up its answer: {native}",
                provider_code=native,
                target=self._target.name,
            )

    def _new_call_id(self, candidate: int, call: int) -> str:
        """An id for a call that came without one, as most do."""
        self._id = self._id or secrets.token_hex(8)
        return made_call_id(self._id, candidate, call)

    def _finished_event(self) -> FinishedEvent:
        finished = FinishedEvent()
        if self._usage is not None:
            fill_usage(finished.usage, self._usage)
            tier = self._usage.get("serviceTier")
            if type(tier) is str:
                finished.service_tier = tier
        if self._extras:
            finished.extensions[DIALECT] = json_text(self._extras)
        return finished


def _ms_of(time: object) -> int:
    """A time as protobuf writes it, in Unix milliseconds; 0 if it is none."""
    try:
        at = datetime.fromisoformat(time) if type(time) is str else None
    except ValueError:
        return 0
    return int(at.timestamp() * _MS_PER_S) if at is not None and at.tzinfo is not None else 0
