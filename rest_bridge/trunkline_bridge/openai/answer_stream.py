"""Batches of events as a stream of OpenAI's objects: what chat's chunks and the older completions have in common.

Pieces of text are most of the traffic, so each costs three joined byte strings: what stands before it in its chunk
is made once for each choice, what stands after it once for the stream.
"""

import time
from typing import ClassVar, Generic, Protocol, TypeVar

import orjson

from trunkline.errors import GatewayError, from_failure
from trunkline.v1 import ChoiceFinishedEvent, Event, FailedEvent, FinishedEvent, StreamCompleteResponse
from trunkline_bridge.json_text import dump
from trunkline_bridge.openai.chat_objects import (
    STOP_TEXT,
    Json,
    completion_id,
    finish_word,
    merge_extensions,
    usage_object,
)
from trunkline_bridge.report import trunkline_object
from trunkline_bridge.sse import DONE


class TextChoice(Protocol):
    """What the hot path needs to know of a choice."""

    index: int
    chars: int
    """Characters of its text so far."""
    text_head: bytes
    """How a chunk with a piece of its text begins, up to that text."""


ChoiceT = TypeVar("ChoiceT", bound=TextChoice)


class AnswerEncoder(Generic[ChoiceT]):
    """Turns one answer's batches into the bytes to send; holds what must be remembered between them.

    A subclass says what an object is called, how a choice begins, and what becomes of events other than text.
    """

    OBJECT: ClassVar[str]
    """The `object` of each chunk."""
    ID_PREFIX: ClassVar[str]
    """What the ids of answers begin with."""
    DELTA_END: ClassVar[bytes]
    """What stands between a text and the member after it."""

    def __init__(self, *, request_id: str, model: str, include_usage: bool) -> None:
        """`request_id` and `model` stand in until the answer tells its own."""
        self.failure: GatewayError | None = None
        """Why the answer failed, once a batch has said so. What came before has been encoded."""
        self.finished = False
        """Whether the answer is complete and [DONE] was encoded."""
        self.target = ""
        """Which target answers; empty until the answer tells."""
        self._include_usage = include_usage
        self._choices: dict[int, ChoiceT] = {}
        self._out: list[bytes] = []
        self._omitted: set[str] = set()
        self._provider_response_id = ""
        self._ending: Json | None = None
        self._ending_at = 0
        # Closes the choice, the choices and the chunk.
        self._choice_tail = b',"finish_reason":null}]' + (b',"usage":null' if include_usage else b"") + b"}\n\n"
        self._tail = self.DELTA_END + b',"logprobs":null' + self._choice_tail
        self._begin(request_id, model, int(time.time()))

    def encode(self, batch: StreamCompleteResponse) -> bytes:
        """What to send for `batch`; empty if nothing, as after a failure."""
        if self._over():
            return b""
        self._ending = None
        for event in batch.events:
            kind = event.WhichOneof("kind")
            if kind == "text":
                choice = self._choices.get(event.choice) or self._open(event.choice)
                text = event.text
                choice.chars += len(text)
                self._out += (choice.text_head, orjson.dumps(text), self._tail)
                continue
            self._other(kind, event)
            if self._over():
                break
        data = b"".join(self._out)
        self._out.clear()
        return data

    # What a subclass fills in.

    def _open(self, index: int) -> ChoiceT:
        """Begins a choice; what must be said first is written."""
        raise NotImplementedError

    def _content(self, kind: str | None, event: Event) -> None:
        """An event that belongs to a part of a choice and is no piece of text."""
        raise NotImplementedError

    def _empty(self, index: int) -> Json:
        """An entry of `choices` that adds nothing."""
        raise NotImplementedError

    def _last_words(self, choice: ChoiceT, finished: ChoiceFinishedEvent) -> None:
        """What is said only when a choice ends."""
        raise NotImplementedError

    def _members(self, choice: ChoiceT, message: Json) -> None:
        """What a vendor has on the message."""
        raise NotImplementedError

    def _finish_word(self, word: str) -> str:
        """How one of OpenAI's finish reasons is told here."""
        return word

    # What all have in common.

    def _over(self) -> bool:
        return self.finished or self.failure is not None

    def _begin(self, request_id: str, model: str, created: int) -> None:
        self._request_id = request_id
        self._head: Json = {
            "id": completion_id(request_id, self.ID_PREFIX),
            "object": self.OBJECT,
            "created": created,
            "model": model,
        }
        self._head_text = b"data: " + orjson.dumps(self._head)[:-1] + b',"choices":['

    def _other(self, kind: str | None, event: Event) -> None:
        match kind:
            case "started":
                started = event.started
                self.target = started.target
                self._provider_response_id = started.provider_response_id
                self._begin(started.id or self._request_id, started.model, started.created_at_ms // 1000)
            case "choice_finished":
                self._finish_choice(event.choice, event.choice_finished)
            case "finished":
                self._finish(event.finished)
            case "failed":
                self._fail(event.failed)
            case "heartbeat":
                pass  # the stream to the client has signs of life of its own
            case _:
                self._content(kind, event)

    def _finish_choice(self, index: int, finished: ChoiceFinishedEvent) -> None:
        choice = self._choices.get(index) or self._open(index)
        try:
            word = finish_word(finished.finish_reason, finished.native_finish_reason)
        except GatewayError as error:
            self.failure = error
            return
        self._last_words(choice, finished)
        ending = {**self._empty(index), "finish_reason": self._finish_word(word)}
        if finished.native_finish_reason not in ("", word):
            ending["native_finish_reason"] = finished.native_finish_reason
        if finished.stop_sequence:
            ending[STOP_TEXT] = finished.stop_sequence
        merge_extensions(ending, finished.extensions)
        if isinstance(message := ending.pop("message", None), dict):
            self._members(choice, message)
        self._write({**self._head, "choices": [ending]})
        self._ending, self._ending_at = ending, len(self._out)

    def _finish(self, finished: FinishedEvent) -> None:
        """The last chunk: it tells the usage if that was asked for, and in any case what the gateway did.

        Without usage the report goes on the chunk that ends the last choice. Where that chunk is out already, because
        the provider said more after it, the report gets a chunk that adds nothing to the first choice: clients that
        did not ask for usage may not expect a chunk without choices.
        """
        last: Json = dict(self._head)
        if self._include_usage:
            last["choices"] = []
        elif self._ending is not None and self._ending_at == len(self._out):
            self._out.pop()
            last["choices"] = [self._ending]
        else:
            last["choices"] = [self._empty(min(self._choices, default=0))]
        if finished.service_tier:
            last["service_tier"] = finished.service_tier
        if finished.system_fingerprint:
            last["system_fingerprint"] = finished.system_fingerprint
        report = trunkline_object(
            self._request_id,
            finished.report if finished.HasField("report") else None,
            finished.cost if finished.HasField("cost") else None,
        )
        if self._provider_response_id:
            report["provider_response_id"] = self._provider_response_id
        if self._omitted:
            report["omitted"] = sorted(self._omitted)
        last["trunkline"] = report
        merge_extensions(last, finished.extensions)
        self._write(last, usage_object(finished.usage) if finished.HasField("usage") else None)
        self._out.append(DONE)
        self.finished = True

    def _fail(self, failed: FailedEvent) -> None:
        self.failure = from_failure(failed.failure)
        if failed.HasField("report"):
            self.failure.report = failed.report

    def _put_logprobs(self, head: bytes, logprobs: Json) -> bool:
        """Puts them on the chunk written last if that is a piece of text that began with `head`, as OpenAI does."""
        if len(self._out) < 3 or self._out[-1] is not self._tail or self._out[-3] is not head:
            return False
        self._out[-1] = self.DELTA_END + b',"logprobs":' + dump(logprobs) + self._choice_tail
        return True

    def _write(self, chunk: Json, usage: Json | None = None) -> None:
        if self._include_usage:
            chunk["usage"] = usage
        self._out.append(b"data: " + dump(chunk) + b"\n\n")
