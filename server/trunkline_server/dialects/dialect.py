"""What a wire language can do: the four pure hooks of every dialect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from trunkline.errors import GatewayError, UnsupportedByModelError
from trunkline.v1 import CompleteRequest, Event, FinishedEvent, FinishReason
from trunkline_server.providers.target import Target
from trunkline_server.values.wire import SseFrame, WireRequest


class EventSink(Protocol):
    """Where a decoder puts events: the `events` field of a StreamCompleteResponse.

    Filling a message in place by `add` costs half of building it and copying it in.
    """

    def add(self, *, choice: int = ..., part: int = ..., text: str = ...) -> Event:
        """Appends an event with these fields set and returns it, for the rest to be filled in."""
        ...


@dataclass(frozen=True, slots=True)
class Ending:
    """How an upstream answer ended, as the decoder saw it."""

    complete: bool
    """True: every choice that began has a finish reason. False: the answer was cut off."""
    finished: FinishedEvent
    """Usage, service tier and what else is known only at the end; the engine adds report and cost."""
    finish_reasons: Sequence["FinishReason.ValueType"] = ()
    """Why each choice ended, by choice."""


class Decoder(Protocol):
    """Turns one attempt's answer into events; holds what must be remembered between frames.

    It raises MalformedFrameError for a frame it cannot read (the attempt decides what that means) and the error that
    `Dialect.error` makes of a failure reported in band. It sets in `started` what the provider tells; the engine adds
    the request's id and the target.
    """

    finished: bool
    """Every choice that began has a finish reason; only usage and the like may still come."""
    done: bool
    """The provider said that nothing follows, such as by [DONE]. It proves nothing about completeness."""
    content_chars: int
    """Characters of text, reasoning and arguments so far, from which usage is estimated if it never comes."""

    def feed(self, frame: SseFrame, events: EventSink) -> None:
        """One frame of a stream."""
        ...

    def whole(self, body: bytes, events: EventSink) -> None:
        """The body of an answer that was not asked for as a stream; gives the same events, parts whole."""
        ...

    def close(self, events: EventSink) -> Ending:
        """The upstream has ended: closes open parts and says whether the answer is complete."""
        ...


class Dialect(Protocol):
    """One wire language."""

    name: str

    def encode(self, request: CompleteRequest, target: Target, *, stream: bool) -> WireRequest:
        """The request as this target takes it. Raises UnsupportedByModelError where it cannot be said at all."""
        ...

    def decoder(self, target: Target) -> Decoder:
        """For the answer of one attempt."""
        ...

    def error(self, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        """The failure that a provider's error answer means. `headers` are by lower-case name; `body` may be anything."""
        ...


class NeedsBytesError(UnsupportedByModelError):
    """Something is given by its address, and this target takes bytes only; who fetches them may ask again."""


class MalformedFrameError(Exception):
    """A frame or body that does not say anything in this dialect. Its text never holds content."""
