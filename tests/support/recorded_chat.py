"""Recorded traffic of the chat completions API, of every vendor that has it."""

import json
from collections.abc import Iterator

from recorded_traffic import Json, Record, Recording
from trunkline.answer import AnswerBuilder
from trunkline.v1 import CompleteResponse, StreamCompleteResponse
from trunkline_server.dialects.openai_chat import OpenAIChat
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target
from trunkline_server.transport.sse import SseParser
from wire_answer import error_in, read_chunks, whole_of

STRANGERS = frozenset({"azure", "crusoe", "snowflake"})
"""Recorded providers of which the provider table has no row; they are reached as `openai_compatible`."""

# What arrives at once; so little that frames are cut, and that a batch holds a few events.
READ_BYTES = 700

CHAT = Recording(
    title="chat completions API",
    apis=frozenset({"chat"}),
    is_request=lambda request: "messages" in request,
    error_in=lambda record: error_in(record.body, stream=record.stream),
    exceptions={
        "request": {},
        "answer": {
            "517669563b1e529b": "edited by hand: no chunk has a finish reason, and such a stream counts as broken off",
        },
        "error": {},
    },
)


def target_of(record: Record) -> Target:
    """The provider and the model that the request went to."""
    kind = KINDS.get(record.provider, KINDS["openai_compatible"])
    model = record.request["model"] if record.request else "recorded"
    provider = Provider(name=record.provider, kind=kind, base_url=kind.base_url or "http://127.0.0.1:9/v1")
    return Target(provider=provider, model=model, name=f"{provider.name}/{model}", dialect="openai_chat")


def batches_of(record: Record) -> Iterator[StreamCompleteResponse]:
    """The answer as the engine hands it on: a batch for each read, the last one with the end."""
    decoder, parser = OpenAIChat().decoder(target_of(record)), SseParser()
    batch = StreamCompleteResponse()
    if record.stream:
        for start in range(0, len(record.body), READ_BYTES):
            for frame in parser.feed(record.body[start : start + READ_BYTES]):
                decoder.feed(frame, batch.events)
            yield batch
            batch = StreamCompleteResponse()
        for frame in parser.close():
            decoder.feed(frame, batch.events)
    else:
        decoder.whole(record.body, batch.events)
    ending = decoder.close(batch.events)
    assert ending.complete
    batch.events.add().finished.CopyFrom(ending.finished)
    yield batch


def answer_of(record: Record) -> CompleteResponse:
    builder = AnswerBuilder()
    for batch in batches_of(record):
        builder.add(batch)
    return builder.response()


def vendor_body(record: Record) -> Json:
    """The vendor's answer as one body, however it came."""
    body: Json = whole_of(read_chunks(record.body)) if record.stream else json.loads(record.body)
    return body
