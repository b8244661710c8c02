"""What it costs a dialect to write a request and read its answer, beside parsing the same bytes as JSON."""

import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import orjson

from benchmarks.figures import Ratio
from benchmarks.payloads import answer_text, grpc_request
from trunkline.v1 import StreamCompleteResponse
from trunkline_server.dialects.registry import DIALECTS
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider, Target
from trunkline_server.values.wire import SseFrame

_CALLS: Final = 1000
WHOLE_BAR: Final = 20
EVENT_BAR: Final = 10


class Sample(NamedTuple):
    """How one dialect says an answer of some 600 characters, and one word of it in a stream."""

    kind: str
    """A provider that speaks it."""
    model: str
    answer: object
    frames: tuple[tuple[str, object], ...]
    """The stream up to its second word, as event and data; the last frame is repeated."""


_USAGE: Final = {"input_tokens": 480, "output_tokens": 150}
_CHUNK: Final = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_767_225_600, "model": "m"}
_CANDIDATE: Final = {"content": {"parts": [{"text": "gateway "}], "role": "model"}, "index": 0}
_ITEM: Final = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
_PART: Final = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
_PLACE: Final = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


def _response(**more: object) -> dict[str, object]:
    return {"id": "resp_1", "object": "response", "created_at": 1_767_225_600, "model": "m", "output": [], **more}


SAMPLES: Final[Mapping[str, Sample]] = {
    "openai_chat": Sample(
        "openai",
        "gpt-4.1",
        {
            **_CHUNK,
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": answer_text(), "refusal": None, "annotations": []},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 480, "completion_tokens": 150, "total_tokens": 630},
        },
        (
            ("", {**_CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
            ("", {**_CHUNK, "choices": [{"index": 0, "delta": {"content": "gateway "}, "finish_reason": None}]}),
        ),
    ),
    "openai_responses": Sample(
        "openai",
        "gpt-5.4",
        _response(
            status="completed",
            output=[
                {**_ITEM, "status": "completed", "content": [{**_PART, "text": answer_text()}]},
            ],
            usage={
                **_USAGE,
                "input_tokens_details": {"cached_tokens": 256},
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 630,
            },
        ),
        (
            ("response.created", {"type": "response.created", "response": _response(status="in_progress")}),
            (
                "response.output_item.added",
                {"type": "response.output_item.added", "output_index": 0, "item": _ITEM, "sequence_number": 1},
            ),
            (
                "response.content_part.added",
                {"type": "response.content_part.added", **_PLACE, "part": _PART, "sequence_number": 2},
            ),
            (
                "response.output_text.delta",
                {
                    "type": "response.output_text.delta",
                    **_PLACE,
                    "delta": "gateway ",
                    "logprobs": [],
                    "sequence_number": 3,
                },
            ),
        ),
    ),
    "anthropic": Sample(
        "anthropic",
        "claude-sonnet-4-5",
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": answer_text()}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {**_USAGE, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 256},
        },
        (
            (
                "message_start",
                {
                    "type": "message_start",
                    "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": _USAGE},
                },
            ),
            (
                "content_block_start",
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            ),
            (
                "content_block_delta",
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "gateway "}},
            ),
        ),
    ),
    "gemini": Sample(
        "gemini",
        "gemini-2.5-flash",
        {
            "candidates": [
                {**_CANDIDATE, "content": {"parts": [{"text": answer_text()}], "role": "model"}, "finishReason": "STOP"}
            ],
            "usageMetadata": {"promptTokenCount": 480, "candidatesTokenCount": 150, "totalTokenCount": 630},
            "modelVersion": "m",
            "responseId": "r1",
        },
        (
            (
                "",
                {
                    "candidates": [_CANDIDATE],
                    "usageMetadata": {"promptTokenCount": 480, "totalTokenCount": 480},
                    "modelVersion": "m",
                    "responseId": "r1",
                },
            ),
        ),
    ),
}


def translating(rounds: int) -> list[Ratio]:
    """For each dialect: encode and decode of a request and its answer, and one event of a stream."""
    figures = []
    for name in DIALECTS:
        sample = SAMPLES[name]
        whole = Ratio(f"{name}, request and answer", "us", bar=WHOLE_BAR)
        event = Ratio(f"{name}, one event", "us", bar=EVENT_BAR)
        for _ in range(rounds):
            _measure_whole(name, sample, whole)
            _measure_event(name, sample, event)
        figures += [whole, event]
    return figures


def target_of(name: str, sample: Sample) -> Target:
    """A model that is spoken to in this dialect."""
    kind = KINDS[sample.kind]
    provider = Provider(name=sample.kind, kind=kind, base_url=kind.base_url or "http://127.0.0.1")
    return Target(provider=provider, model=sample.model, name=f"{sample.kind}/{sample.model}", dialect=name)


def read_whole(name: str, sample: Sample) -> tuple[bytes, Callable[[], StreamCompleteResponse]]:
    """The bytes of the request and of the answer together, and what writes the one and reads the other."""
    dialect, target, request = DIALECTS[name], target_of(name, sample), grpc_request()
    answer = orjson.dumps(sample.answer)

    def translate() -> StreamCompleteResponse:
        dialect.encode(request, target, stream=False)
        decoder, batch = dialect.decoder(target), StreamCompleteResponse()
        decoder.whole(answer, batch.events)
        decoder.close(batch.events)
        return batch

    wire = dialect.encode(request, target, stream=False)
    return b"[%b,%b]" % (wire.body, answer), translate


def read_event(name: str, sample: Sample) -> tuple[bytes, Callable[[], StreamCompleteResponse]]:
    """The data of one event, and what reads it."""
    frames = [SseFrame(event, orjson.dumps(data)) for event, data in sample.frames]
    decoder = DIALECTS[name].decoder(target_of(name, sample))
    for frame in frames:
        decoder.feed(frame, StreamCompleteResponse().events)

    def read() -> StreamCompleteResponse:
        batch = StreamCompleteResponse()
        decoder.feed(frames[-1], batch.events)
        return batch

    return frames[-1].data, read


def _measure_whole(name: str, sample: Sample, figure: Ratio) -> None:
    data, translate = read_whole(name, sample)
    figure.gateway.append(_cost_us(translate))
    figure.baseline.append(_cost_us(lambda: orjson.loads(data)))


def _measure_event(name: str, sample: Sample, figure: Ratio) -> None:
    data, read = read_event(name, sample)
    figure.gateway.append(_cost_us(read))
    figure.baseline.append(_cost_us(lambda: orjson.loads(data)))


def _cost_us(call: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(_CALLS):
        call()
    return (time.process_time() - began) / _CALLS * 1e6
