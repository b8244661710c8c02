"""Recorded answers keep their text, calls, reasoning, signatures, usage and end, on every way through the gateway."""

import base64
import json
from collections.abc import Iterable, Iterator

import genai_prices

from folding import order_violations
from recorded_gemini import target_of
from recorded_traffic import Json, Record
from trunkline.answer import AnswerBuilder
from trunkline.v1 import Choice, CompleteRequest, CompleteResponse, Part, Role, StreamCompleteResponse
from trunkline_bridge.json_text import dump
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_bridge.openai.chat_stream import ChunkEncoder
from trunkline_server.dialects.gemini import Gemini
from trunkline_server.transport.sse import SseParser
from wire_answer import Said, read_answer, read_chunks, whole_of
from wire_gemini import (
    SaidCandidate,
    last_usage,
    merged,
    parts_of,
    read_bodies,
    read_candidates,
    sorted_json,
)

# What arrives at once; so little that frames are cut, and that a batch holds a few events.
READ_BYTES = 700

FINISHES = {1: "stop", 3: "length", 5: "tool_calls", 6: "content_filter"}
# Counts of the oracle that Gemini tells, and where the gateway has them.
COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "input_tool_tokens": "tool_input_tokens",
}
# The price list takes documents for pictures, which they are billed as.
MODALITIES = {"input_{}_tokens": "input_by_modality", "cache_{}_read_tokens": "cache_read_by_modality"}
NUMBERED = {1: "TEXT", 2: "IMAGE", 3: "VIDEO", 4: "AUDIO", 5: "DOCUMENT"}


def batches_of(record: Record) -> Iterator[StreamCompleteResponse]:
    """The answer as the engine hands it on: a batch for each read, the last one with the end."""
    decoder, parser = Gemini().decoder(target_of(record)), SseParser()
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


def folded(batches: Iterable[StreamCompleteResponse]) -> CompleteResponse:
    builder = AnswerBuilder()
    for batch in batches:
        builder.add(batch)
    return builder.response()


def answer_of(record: Record) -> CompleteResponse:
    return folded(batches_of(record))


def chunks_of(record: Record) -> list[Json]:
    return read_bodies(record.body, stream=record.stream)


def said_by_contract(choice: Choice) -> SaidCandidate:
    parts = list(choice.message.parts)
    return SaidCandidate(
        text="".join(part.text for part in parts),
        reasoning="".join(part.reasoning.text for part in parts),
        calls=tuple(
            (part.tool_call.name, sorted_json(json.loads(part.tool_call.arguments)))
            for part in parts
            if part.HasField("tool_call")
        ),
        others=tuple(filter(None, map(native_of, parts))),
        signatures=tuple(part.state.data for part in parts if part.state.data),
        finish=FINISHES.get(choice.finish_reason, choice.native_finish_reason),
        sources=frozenset(citation.url for part in parts for citation in part.citations if citation.url),
        tokens=tuple((token.token, token.logprob) for part in parts for token in part.logprobs),
    )


def native_of(part: Part) -> str:
    """A part that is neither words nor a call, as its vendor spelled it."""
    match part.WhichOneof("content"):
        case "server_tool_call":
            return sorted_json(json.loads(part.server_tool_call.native))
        case "server_tool_result":
            return sorted_json(json.loads(part.server_tool_result.native))
        case "image":
            media = part.image.media
            data = base64.b64encode(media.data).decode()
            return sorted_json({"inlineData": {"data": data, "mimeType": media.mime_type}})
        case _:
            return ""


def test_the_contract_says_what_the_vendor_said(answer_record: Record) -> None:
    said = tuple(said_by_contract(choice) for choice in answer_of(answer_record).choices)
    assert said == read_candidates(chunks_of(answer_record))


def test_events_come_in_order(answer_record: Record) -> None:
    *events, last = [event for batch in batches_of(answer_record) for event in batch.events]
    assert last.HasField("finished")
    assert order_violations(events) == []


def test_usage_is_what_the_price_list_reads(answer_record: Record) -> None:
    chunks = chunks_of(answer_record)
    usage = last_usage(chunks)
    assert usage is not None
    named = {name: worded(value) for name, value in usage.items()}
    model = chunks[0]["modelVersion"].removeprefix("models/")
    oracle = genai_prices.extract_usage({"usageMetadata": named, "modelVersion": model}, provider_id="google").usage
    found = answer_of(answer_record).usage
    for name, field in COUNTS.items():
        assert (name, getattr(found, field)) == (name, getattr(oracle, name) or 0)
    for pattern, field in MODALITIES.items():
        split = getattr(found, field)
        counts = {"text": split.text, "image": split.image + split.document, "audio": split.audio, "video": split.video}
        for modality, count in counts.items():
            assert (modality, count) == (modality, getattr(oracle, pattern.format(modality), None) or 0)
    assert json.loads(found.native) == usage


def worded(value: object) -> object:
    """Lists of counts with words where proxies have the enum's numbers."""
    if not isinstance(value, list):
        return value
    return [{**entry, "modality": NUMBERED.get(entry["modality"], entry["modality"])} for entry in value]


def said_by_bridge(body: Json) -> Said:
    return read_answer(body, reasoning_in=("reasoning_content",))


def whole_rest(answer: CompleteResponse) -> Json:
    """The body that the bridge answers with."""
    body: Json = json.loads(dump(chat_completion(answer)))
    return body


def test_a_whole_rest_answer_says_what_the_vendor_said(answer_record: Record) -> None:
    [wanted] = read_candidates(chunks_of(answer_record))
    [found] = said_by_bridge(whole_rest(answer_of(answer_record))).choices
    assert (found.text, found.finish) == (wanted.text, wanted.finish)
    assert found.reasoning.split() == wanted.reasoning.split()  # REST sets paragraphs apart
    assert tuple((call.name, sorted_json(json.loads(call.arguments))) for call in found.calls) == wanted.calls


def test_a_streamed_rest_answer_is_the_whole_one(answer_record: Record) -> None:
    encoder = ChunkEncoder(request_id="req_1", model="asked", include_usage=True)
    batches = list(batches_of(answer_record))  # calls that came without an id have another one each time
    stream = b"".join(encoder.encode(batch) for batch in batches)
    assert said_by_bridge(whole_of(read_chunks(stream))) == said_by_bridge(whole_rest(folded(batches)))


def test_an_answer_goes_back_as_it_came(answer_record: Record) -> None:
    target = target_of(answer_record)
    request = CompleteRequest(model=target.model)
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Say something")
    message = request.messages.add()
    message.CopyFrom(answer_of(answer_record).choices[0].message)
    results = [part.tool_call.id for part in message.parts if part.HasField("tool_call")]
    if results:
        request.messages.add(role=Role.ROLE_TOOL)
    for call_id in results:
        request.messages[-1].parts.add().tool_result.call_id = call_id
    body = json.loads(Gemini().encode(request, target, stream=False).body)
    came = merged(parts_of(piece for chunk in chunks_of(answer_record) for piece in chunk.get("candidates", ())))
    back = merged(body["contents"][1]["parts"]) if len(body["contents"]) > 1 else []
    if not target.provider.kind.gemini.server_tool_parts:
        came = [part for part in came if part.keys().isdisjoint({"toolCall", "toolResponse"})]
    assert [spelled(part) for part in back] == [spelled(part) for part in came]


def spelled(part: Json) -> Json:
    """A part without what may be spelled in more than one way: ids that were made, and base64's alphabets."""
    found = dict(part)
    if "functionCall" in found:
        call = found["functionCall"]
        found["functionCall"] = {"name": call["name"], "args": call.get("args", {})}
    if "thoughtSignature" in found:
        signature = found["thoughtSignature"].translate(str.maketrans("-_", "+/"))
        found["thoughtSignature"] = signature.rstrip("=")
    return found
