"""Recorded answers keep their text, calls, reasoning, steps, usage and end, on every way through the gateway."""

import json
from collections.abc import Iterator

from genai_prices import extract_usage

from folding import order_violations
from recorded_responses import target_of
from recorded_traffic import Json, Record
from responses_reading import answer_in, chat_calls, chat_reasoning, chat_text, read_contract, read_response
from strict_responses import complaints
from trunkline.answer import AnswerBuilder
from trunkline.v1 import CompleteRequest, CompleteResponse, Role, StreamCompleteResponse
from trunkline_bridge.json_text import dump
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_bridge.openai.chat_stream import ChunkEncoder
from trunkline_server.dialects.openai_responses import OpenAIResponses
from trunkline_server.transport.sse import SseParser
from wire_answer import read_chunks, whole_of

# What arrives at once; so little that frames are cut, and that a batch holds a few events.
READ_BYTES = 700


def batches_of(record: Record) -> Iterator[StreamCompleteResponse]:
    """The answer as the engine hands it on: a batch for each read, the last one with the end."""
    decoder, parser = OpenAIResponses().decoder(target_of(record)), SseParser()
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
    return answer_in(record.body, stream=record.stream)


def test_the_contract_says_what_the_vendor_said(answer_record: Record) -> None:
    assert read_contract(answer_of(answer_record)) == read_response(vendor_body(answer_record))


def test_events_come_in_order(answer_record: Record) -> None:
    *events, last = [event for batch in batches_of(answer_record) for event in batch.events]
    assert last.HasField("finished")
    assert order_violations(events) == []


def test_usage_is_what_another_library_reads(answer_record: Record) -> None:
    # It reads this API for OpenAI and its models alone; the others copy it.
    body = {**vendor_body(answer_record), "model": "gpt-5"}
    usage = extract_usage(body, provider_id="openai", api_flavor="responses").usage
    found = answer_of(answer_record).usage
    assert (found.input_tokens, found.output_tokens) == (usage.input_tokens, usage.output_tokens)
    assert (found.cache_read_tokens or None) == (usage.cache_read_tokens or None)


def test_a_whole_chat_answer_says_what_the_vendor_said(answer_record: Record) -> None:
    body: Json = json.loads(dump(chat_completion(answer_of(answer_record), functions=False)))
    assert in_chat(body) == expected_in_chat(answer_record)


def test_a_streamed_chat_answer_says_what_the_vendor_said(answer_record: Record) -> None:
    encoder = ChunkEncoder(request_id="req_1", model="asked", include_usage=True, functions=False)
    stream = b"".join(encoder.encode(batch) for batch in batches_of(answer_record))
    assert in_chat(whole_of(read_chunks(stream))) == expected_in_chat(answer_record)


def test_an_answer_goes_back_as_it_came(answer_record: Record) -> None:
    target, message = target_of(answer_record), answer_of(answer_record).choices[0].message
    request = CompleteRequest()
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Say something")
    request.messages.add().CopyFrom(message)
    for part in message.parts:
        if part.HasField("tool_call"):
            request.messages.add(role=Role.ROLE_TOOL).parts.add().tool_result.call_id = part.tool_call.id
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Go on")
    body = json.loads(OpenAIResponses().encode(request, target, stream=False).body)
    if answer_record.provider == "openai":
        assert [one for one in complaints(body, target.model) if "does not begin with" not in one] == []
    sent = [item for item in body["input"] if item.get("role") != "user" and not _is_result(item)]
    is_plain = target.provider.kind.responses.plain_reasoning
    wanted = [item for item in vendor_body(answer_record)["output"] if not _is_lost(item, is_plain=is_plain)]
    assert list(map(_said, sent)) == [said for said in map(_said, wanted) if said != ""]


def in_chat(body: Json) -> Json:
    choice, message = body["choices"][0], body["choices"][0]["message"]
    calls = message.get("tool_calls") or ()
    return {
        "text": message.get("content") or "",
        "reasoning": message.get("reasoning_content") or "",
        "calls": [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls],
        "finish": choice["finish_reason"],
        "usage": (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]),
    }


def expected_in_chat(record: Record) -> Json:
    body = vendor_body(record)
    return {
        "text": chat_text(body),
        "reasoning": chat_reasoning(body),
        "calls": chat_calls(body),
        "finish": read_response(body).finish,
        "usage": (body["usage"]["input_tokens"], body["usage"]["output_tokens"]),
    }


def _is_result(item: Json) -> bool:
    return str(item.get("type", "")) in ("function_call_output", "custom_tool_call_output")


def _is_lost(item: Json, *, is_plain: bool) -> bool:
    """A thought that cannot go back: it is stored at the provider, and was not asked for with its state."""
    said = item.get("encrypted_content") or (is_plain and item.get("content"))
    return item["type"] == "reasoning" and not said


def _said(item: Json) -> object:
    """What an item says, whether it has kept its id or not."""
    match item.get("type", "message"):
        case "message":
            content = item["content"]
            return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        case "reasoning":
            return (item["summary"], item.get("encrypted_content"))
        case "function_call":
            return (item["call_id"], item["name"], item["arguments"], item.get("namespace"))
        case _:
            return item
