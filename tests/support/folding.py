"""Answers as a decoder's frames or body make them: the events, and what they amount to."""

from collections.abc import Iterable, Sequence

from trunkline.answer import AnswerBuilder
from trunkline.v1 import CompleteResponse, Event, StreamCompleteResponse
from trunkline_server.dialects.dialect import Decoder, Ending
from trunkline_server.transport.sse import SseParser
from trunkline_server.values.wire import SseFrame


def frames_of(stream: bytes) -> list[SseFrame]:
    """The frames of a whole stream."""
    parser = SseParser()
    return [*parser.feed(stream), *parser.close()]


def decode_stream(decoder: Decoder, frames: Iterable[SseFrame]) -> tuple[list[Event], Ending]:
    """All events of a stream, and how it ended."""
    batch = StreamCompleteResponse()
    for frame in frames:
        decoder.feed(frame, batch.events)
    ending = decoder.close(batch.events)
    return list(batch.events), ending


def decode_whole(decoder: Decoder, body: bytes) -> tuple[list[Event], Ending]:
    """All events of an answer that came whole, and how it ended."""
    batch = StreamCompleteResponse()
    decoder.whole(body, batch.events)
    ending = decoder.close(batch.events)
    return list(batch.events), ending


def fold(events: Sequence[Event], ending: Ending) -> CompleteResponse:
    """The answer that events and their ending amount to."""
    builder = AnswerBuilder()
    for event in events:
        builder.add_event(event)
    builder.add_event(Event(finished=ending.finished))
    return builder.response()


def order_violations(events: Sequence[Event]) -> list[str]:
    """Where events break the order that event.proto lays down."""
    found: list[str] = []
    opened: set[tuple[int, int]] = set()
    closed: set[tuple[int, int]] = set()
    finished: set[int] = set()
    for at, event in enumerate(events):
        kind = event.WhichOneof("kind")
        key = (event.choice, event.part)
        if kind == "started":
            found += [f"{at}: started is not first"] if at else []
            continue
        if event.choice in finished:
            found.append(f"{at}: {kind} after the choice has finished")
        if kind == "choice_finished":
            finished.add(event.choice)
            found += [f"{at}: part {part} is open" for part in sorted(opened - closed) if part[0] == event.choice]
        elif kind == "part_started":
            before = sum(1 for choice, _ in opened if choice == event.choice)
            found += [] if event.part == before else [f"{at}: part {event.part} begins out of order"]
            opened.add(key)
        elif key not in opened or key in closed:
            found.append(f"{at}: {kind} of a part that is not open")
        elif kind == "part_done":
            closed.add(key)
    return found
