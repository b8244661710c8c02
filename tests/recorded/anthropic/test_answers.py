"""Recorded answers keep their text, calls, reasoning, usage and end, and go back as they came."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from genai_prices import extract_usage

from contract_answer import read_contract
from folding import order_violations
from messages_answer import own_blocks, read_events, read_message, whole_of
from recorded_messages import target_of
from recorded_traffic import Json, Record
from trunkline.answer import AnswerBuilder
from trunkline.v1 import CompleteRequest, CompleteResponse, Role, StreamCompleteResponse
from trunkline_bridge.json_text import dump
from trunkline_bridge.openai.chat_request import read_chat_request
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_bridge.openai.chat_stream import ChunkEncoder
from trunkline_server.dialects.anthropic import Anthropic
from trunkline_server.transport.sse import SseParser
from wire_answer import Said, read_answer, read_chunks
from wire_answer import whole_of as whole_chat

# What arrives at once; so little that frames are cut, and that a batch holds a few events.
READ_BYTES = 700
DIALECT = Anthropic()


def batches_of(record: Record) -> Iterator[StreamCompleteResponse]:
    """The answer as the engine hands it on: a batch for each read, the last one with the end."""
    decoder, parser = DIALECT.decoder(target_of(record)), SseParser()
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


def vendor_message(record: Record) -> Json:
    """The vendor's answer as one message, however it came."""
    body: Json = whole_of(read_events(record.body)) if record.stream else json.loads(record.body)
    return body


def comparable(said: Said) -> Said:
    """Arguments by what they mean: the wire has objects, the contract texts."""
    choices = tuple(
        dataclasses.replace(
            choice,
            calls=tuple(
                dataclasses.replace(call, arguments=json.dumps(json.loads(call.arguments), sort_keys=True))
                for call in choice.calls
            ),
        )
        for choice in said.choices
    )
    return dataclasses.replace(said, choices=choices)


def without_spaces(said: Said) -> Said:
    """Between parts of the thinking the chat API has a blank line, and its annotations are of texts only."""
    [choice] = said.choices
    return dataclasses.replace(
        said, choices=(dataclasses.replace(choice, reasoning="".join(choice.reasoning.split())),)
    )


def said_by_vendor(record: Record) -> Said:
    return read_message(vendor_message(record))


def plain(value: Any) -> Any:  # noqa: ANN401 any JSON
    """JSON without members that say nothing."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if inner is not None}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def test_the_contract_says_what_the_vendor_said(answer_record: Record) -> None:
    assert comparable(read_contract(answer_of(answer_record))) == said_by_vendor(answer_record)


def test_events_come_in_order(answer_record: Record) -> None:
    *events, last = [event for batch in batches_of(answer_record) for event in batch.events]
    assert last.HasField("finished")
    assert order_violations(events) == []


def test_usage_is_what_a_price_library_reads(answer_record: Record) -> None:
    usage = answer_of(answer_record).usage
    wanted = extract_usage(vendor_message(answer_record), provider_id="anthropic").usage
    assert (usage.input_tokens, usage.output_tokens) == (wanted.input_tokens, wanted.output_tokens)
    assert usage.cache_read_tokens == (wanted.cache_read_tokens or 0)
    assert usage.cache_write_tokens == (wanted.cache_write_tokens or 0)


def test_a_whole_rest_answer_says_what_the_vendor_said(answer_record: Record) -> None:
    body = json.loads(dump(chat_completion(answer_of(answer_record))))
    assert without_spaces(comparable(read_answer(body))) == without_spaces(said_by_vendor(answer_record))


def test_a_streamed_rest_answer_says_what_the_vendor_said(answer_record: Record) -> None:
    encoder = ChunkEncoder(request_id="req_1", model="asked", include_usage=True)
    stream = b"".join(encoder.encode(batch) for batch in batches_of(answer_record))
    said = read_answer(whole_chat(read_chunks(stream)))
    assert without_spaces(comparable(said)) == without_spaces(said_by_vendor(answer_record))


def test_an_answer_goes_back_as_it_came(answer_record: Record) -> None:
    message, request = vendor_message(answer_record), CompleteRequest()
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Say something")
    request.messages.add().CopyFrom(answer_of(answer_record).choices[0].message)
    for block in message["content"]:
        if block["type"] == "tool_use":
            result = request.messages.add(role=Role.ROLE_TOOL).parts.add().tool_result
            result.call_id = block["id"]
            result.parts.add(text="Done")
    if request.messages[-1].role == Role.ROLE_ASSISTANT:
        request.messages.add(role=Role.ROLE_USER).parts.add(text="Go on")
    sent = json.loads(DIALECT.encode(request, target_of(answer_record), stream=False).body)["messages"]
    if not message["content"]:
        assert len(sent) == 1
        return
    wanted = [block for block in plain(message["content"]) if block.get("text", "x").strip()]
    for block in wanted:
        if block["type"] == "tool_use" and block.get("caller") == {"type": "direct"}:
            del block["caller"]  # which is what it means without it
        if block.get("citations") == []:
            del block["citations"]
    if sent[1]["content"][-1] != wanted[-1] and wanted[-1]["type"] == "text":
        wanted[-1]["text"] = wanted[-1]["text"].rstrip()
    assert plain(sent[1]["content"]) == wanted


def test_a_chat_client_that_sends_all_back_sends_the_thinking_back(answer_record: Record) -> None:
    message = json.loads(dump(chat_completion(answer_of(answer_record))))["choices"][0]["message"]
    messages = [{"role": "user", "content": "Say something"}, message]
    calls = message.get("tool_calls") or ()
    messages += [{"role": "tool", "tool_call_id": call["id"], "content": "Done"} for call in calls]
    asked = {"model": "m", "messages": [*messages, {"role": "user", "content": "Go on"}]}
    request = read_chat_request(asked, max_messages=100).request
    sent = json.loads(DIALECT.encode(request, target_of(answer_record), stream=False).body)["messages"]
    thinking = [
        plain(block)
        for block in own_blocks(vendor_message(answer_record))
        if block["type"] in ("thinking", "redacted_thinking")
    ]
    found = [block for turn in sent for block in turn["content"] if block["type"] in ("thinking", "redacted_thinking")]
    assert found == thinking
