"""Recorded answers keep their text, calls, reasoning, usage and end, on every way through the gateway."""

import dataclasses
import json

import httpx2
import openai
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionMessageParam

from contract_answer import read_contract
from folding import order_violations
from recorded_chat import answer_of, batches_of, target_of, vendor_body
from recorded_traffic import Json, Record
from trunkline_bridge.json_text import dump
from trunkline_bridge.openai.chat_request import read_chat_request
from trunkline_bridge.openai.chat_response import chat_completion
from trunkline_bridge.openai.chat_stream import ChunkEncoder
from trunkline_server.dialects.openai_chat import OpenAIChat
from wire_answer import Said, SaidChoice, lost, own_members, read_answer, read_chunks, whole_of

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say something"}]
EVENT_STREAM = {"content-type": "text/event-stream"}


def whole_rest(record: Record) -> Json:
    """The body that the bridge answers with."""
    body: Json = json.loads(dump(chat_completion(answer_of(record), functions=uses_functions(record))))
    return body


def streamed_rest(record: Record) -> bytes:
    """The stream that the bridge answers with when the client wants the usage, too."""
    encoder = ChunkEncoder(request_id="req_1", model="asked", include_usage=True, functions=uses_functions(record))
    return b"".join(encoder.encode(batch) for batch in batches_of(record))


def uses_functions(record: Record) -> bool:
    """Whether the client speaks the deprecated functions API, and is answered in it."""
    return bool(record.request and record.request.get("functions"))


def said_by_vendor(record: Record) -> Said:
    return read_answer(vendor_body(record))


def said_by_bridge(body: Json) -> Said:
    """Its reasoning stands in one place, whatever the vendor's."""
    return read_answer(body, reasoning_in=("reasoning_content",))


def without_ids(choice: SaidChoice) -> SaidChoice:
    """Calls by the deprecated functions API have none, until the gateway gives them some."""
    return dataclasses.replace(choice, calls=tuple(dataclasses.replace(call, id="") for call in choice.calls))


def test_the_contract_says_what_the_vendor_said(answer_record: Record) -> None:
    said = read_contract(answer_of(answer_record))
    if uses_functions(answer_record):
        said = dataclasses.replace(said, choices=tuple(map(without_ids, said.choices)))
    assert said == said_by_vendor(answer_record)


def test_events_come_in_order(answer_record: Record) -> None:
    *events, last = [event for batch in batches_of(answer_record) for event in batch.events]
    assert last.HasField("finished")
    assert order_violations(events) == []


def test_a_whole_rest_answer_says_what_the_vendor_said(answer_record: Record) -> None:
    assert said_by_bridge(whole_rest(answer_record)) == said_by_vendor(answer_record)


def test_a_streamed_rest_answer_says_what_the_vendor_said(answer_record: Record) -> None:
    assert said_by_bridge(whole_of(read_chunks(streamed_rest(answer_record)))) == said_by_vendor(answer_record)


def test_the_sdk_puts_a_streamed_rest_answer_together(answer_record: Record) -> None:
    answer = httpx2.Response(200, content=streamed_rest(answer_record), headers=EVENT_STREAM)
    state = ChatCompletionStreamState()
    with (
        httpx2.Client(transport=httpx2.MockTransport(lambda request: answer)) as http,
        openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="none", http_client=http) as client,
        client.chat.completions.create(model="asked", messages=HELLO, stream=True) as chunks,
    ):
        for chunk in chunks:
            state.handle_chunk(chunk)
    put_together: Json = state.current_completion_snapshot.model_dump()
    assert said_by_bridge(put_together) == said_by_vendor(answer_record)


def test_what_only_the_vendor_has_is_in_the_rest_answer(answer_record: Record) -> None:
    own = own_members(vendor_body(answer_record))
    assert lost(own, whole_rest(answer_record)) == []
    assert lost(own, whole_of(read_chunks(streamed_rest(answer_record)))) == []


def test_a_rest_answer_can_be_sent_back(answer_record: Record) -> None:
    message = whole_rest(answer_record)["choices"][0]["message"]
    asked = {"model": target_of(answer_record).model, "messages": [*HELLO, message]}
    request = read_chat_request(asked, max_messages=2).request
    wire = json.loads(OpenAIChat().encode(request, target_of(answer_record), stream=False).body)
    sent = read_answer({"model": "", "choices": [{"message": wire["messages"][1]}]}).choices[0]
    said = said_by_vendor(answer_record).choices[0]
    assert (sent.text, without_ids(sent).calls) == (said.text, without_ids(said).calls)
    assert sent.reasoning in ("", said.reasoning)  # not all vendors take it back
