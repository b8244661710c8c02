"""The provider inside the process answers like OpenAI, always the same, and fails on demand."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from folding import decode_stream, decode_whole, fold, frames_of
from targets import target_of
from trunkline.errors import GatewayError, ProviderBadAnswerError, ProviderSilentError
from trunkline.v1 import CompleteRequest, CompleteResponse, FinishReason, Role
from trunkline_server.dialects.openai_chat import OpenAIChat
from trunkline_server.transport.echo import EchoExchange, EchoTransport
from trunkline_server.transport.echo_schema import smallest_value
from trunkline_server.values.wire import WireRequest

TARGET = target_of("echo", model="echo")
DIALECT = OpenAIChat()

Body = dict[str, Any]

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "minLength": 3}, "days": {"type": "integer", "minimum": 1}},
            "required": ["city", "days"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}
SHELL = {"type": "custom", "custom": {"name": "shell"}}


def said(text: str, **more: object) -> Body:
    """A request whose only message is this one of the user."""
    return {"model": "echo", "messages": [{"role": "user", "content": text}], **more}


async def ask(body: Body | bytes, path: str = "/chat/completions") -> EchoExchange:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    wire = WireRequest(path=path, body=raw, stream=False)
    return await EchoTransport(clock=lambda: 1_795_000_000).open(TARGET.provider, wire, {})


async def read_all(exchange: EchoExchange) -> bytes:
    pieces = []
    while piece := await exchange.read():
        pieces.append(piece)
    return b"".join(pieces)


async def whole(body: Body) -> Body:
    answer: Body = orjson.loads(await read_all(await ask(body)))
    return answer


async def chunks(body: Body) -> list[Body]:
    stream = await read_all(await ask({**body, "stream": True}))
    frames = [frame.data for frame in frames_of(stream)]
    assert frames.pop() == b"[DONE]"
    return [orjson.loads(frame) for frame in frames]


async def decoded(body: Body, *, stream: bool) -> CompleteResponse:
    exchange = await ask({**body, "stream": stream, "stream_options": {"include_usage": True}})
    raw = await read_all(exchange)
    decoder = DIALECT.decoder(TARGET)
    events, ending = decode_stream(decoder, frames_of(raw)) if stream else decode_whole(decoder, raw)
    assert ending.complete
    return fold(events, ending)


async def test_it_says_the_words_of_the_user_one_by_one() -> None:
    contents = [chunk["choices"][0]["delta"].get("content") for chunk in await chunks(said("Hello big  world\n"))]
    assert contents == ["", "Hello", " big", "  world\n", None]


@pytest.mark.parametrize("text", ["", " ", "one", " a  b\n\nc ", "日本語 👋\tend"])
async def test_nothing_of_the_text_is_lost(text: str) -> None:
    assert (await whole(said(text)))["choices"][0]["message"]["content"] == text


async def test_only_the_last_words_of_the_user_count() -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "first"},
        {"role": "user", "content": [{"type": "text", "text": "se"}, {"type": "text", "text": "cond"}]},
        {"role": "system", "content": "be brief"},
    ]
    answer = await whole({"model": "m", "messages": messages})
    assert (answer["model"], answer["choices"][0]["message"]["content"]) == ("m", "second")


BODIES: Mapping[str, Body] = {
    "text": said("Hello there"),
    "empty": said(""),
    "max_tokens": said("one two three", max_completion_tokens=2),
    "stop": said("one two STOP three", stop=["never", "STOP"]),
    "choices": said("one two", n=3),
    "reasoning": said("four", echo={"reasoning": "Two and two."}),
    "cut_reasoning": said("four", max_tokens=2, echo={"reasoning": "Two and two."}),
    "logprobs": said("Hi there", logprobs=True, echo={"reasoning": "Hm."}),
    "calls": said("clock, then weather", tools=[WEATHER, CLOCK, SHELL]),
    "cut_call": said("weather", tools=[WEATHER], max_tokens=1),
    "custom_call": said("use the shell to list", tools=[SHELL]),
}


@pytest.mark.parametrize("name", BODIES)
async def test_an_answer_is_the_same_streamed_and_whole(name: str) -> None:
    streamed, unstreamed = [await decoded(BODIES[name], stream=stream) for stream in (True, False)]
    # An id is made of the request's bytes, which differ in `stream`.
    for answer in (streamed, unstreamed):
        answer.ClearField("provider_response_id")
        for choice in answer.choices:
            for part in choice.message.parts:
                if part.HasField("tool_call"):
                    part.tool_call.ClearField("id")
    assert streamed == unstreamed


@pytest.mark.parametrize("name", BODIES)
async def test_the_sdk_knows_every_answer(name: str) -> None:
    ChatCompletion.model_validate(await whole(BODIES[name]), strict=True)
    if name == "custom_call":
        return  # the SDK's type of chunks knows functions only, though OpenAI streams custom calls, too
    for chunk in await chunks(BODIES[name]):
        ChatCompletionChunk.model_validate(chunk, strict=True)


@pytest.mark.parametrize("name", BODIES)
async def test_the_same_request_gets_the_same_bytes(name: str) -> None:
    first, second = [await read_all(await ask({**BODIES[name], "stream": True})) for _ in range(2)]
    assert first == second


async def test_usage_counts_words() -> None:
    body = said("one two three", max_tokens=4, n=2, echo={"reasoning": "well then"})
    body["messages"].insert(0, {"role": "system", "content": "be very brief"})
    answer = await whole(body)
    assert answer["usage"] == {
        "prompt_tokens": 6,
        "completion_tokens": 8,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["length", "length"]


async def test_usage_is_streamed_only_if_asked_for() -> None:
    silent = await chunks(said("Hi"))
    telling = await chunks(said("Hi", stream_options={"include_usage": True}))
    assert all("usage" not in chunk for chunk in silent)
    assert [chunk["usage"] is None for chunk in telling] == [True] * (len(telling) - 1) + [False]
    assert telling[-1]["choices"] == []


@pytest.mark.parametrize(
    ("limits", "text", "reason"),
    [
        ({"max_tokens": 1}, "one", "length"),
        ({"max_completion_tokens": 3}, "one two three", "stop"),
        ({"max_tokens": 9, "max_completion_tokens": 2}, "one two", "length"),
        ({"stop": " two"}, "one", "stop"),
        ({"stop": ["three", "two"], "max_tokens": 1}, "one", "stop"),
        ({"stop": None, "max_tokens": None}, "one two three", "stop"),
    ],
)
async def test_limits_are_kept(limits: Body, text: str, reason: str) -> None:
    choice = (await whole(said("one two three", **limits)))["choices"][0]
    assert (choice["message"]["content"].strip(), choice["finish_reason"]) == (text, reason)


@pytest.mark.parametrize(
    ("text", "options", "names"),
    [
        ("What is the weather?", {}, ["weather"]),
        ("The clock or the weather?", {}, ["clock", "weather"]),
        ("The clock or the weather?", {"parallel_tool_calls": False}, ["clock"]),
        ("Nothing of that", {}, []),
        ("Nothing of that", {"tool_choice": "required"}, ["weather"]),
        ("weather", {"tool_choice": "none"}, []),
        ("weather", {"tool_choice": {"type": "function", "function": {"name": "clock"}}}, ["clock"]),
        ("run it", {"tool_choice": {"type": "custom", "custom": {"name": "shell"}}}, ["shell"]),
        (
            "clock and weather",
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [CLOCK]}}},
            ["clock"],
        ),
        (
            "nothing",
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [SHELL, CLOCK]}}},
            ["shell"],
        ),
    ],
)
async def test_tools_are_called_as_the_choice_and_the_words_say(text: str, options: Body, names: list[str]) -> None:
    answer = await decoded(said(text, tools=[WEATHER, CLOCK, SHELL], **options), stream=True)
    parts = answer.choices[0].message.parts
    assert [part.tool_call.name for part in parts if part.HasField("tool_call")] == names
    reason = FinishReason.FINISH_REASON_TOOL_CALLS if names else FinishReason.FINISH_REASON_STOP
    assert answer.choices[0].finish_reason == reason


async def test_arguments_fit_the_schema_and_ids_are_distinct() -> None:
    message = (await whole(said("weather clock", tools=[WEATHER, CLOCK])))["choices"][0]["message"]
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == ['{"city":"xxx","days":1}', "{}"]
    assert len({call["id"] for call in message["tool_calls"]}) == 2
    assert message["content"] is None


async def test_after_results_it_says_the_results() -> None:
    body = said("weather", tools=[WEATHER], tool_choice="required")
    body["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "tool_call_id": "a", "content": "Sunny."},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "Noon."}]},
    ]
    choice = (await whole(body))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Sunny.\nNoon.", "stop")


async def test_it_says_what_it_is_told_to() -> None:
    answer = await decoded(said("weather", tools=[WEATHER], echo={"text": "My own.", "reasoning": "Hm."}), stream=True)
    parts = answer.choices[0].message.parts
    assert [part.WhichOneof("content") for part in parts] == ["reasoning", "text", "tool_call"]
    assert (parts[0].reasoning.text, parts[1].text) == ("Hm.", "My own.")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "code"), [(401, "invalid_api_key"), (429, "rate_limit_exceeded"), (503, None), (418, None)]
)
async def test_it_fails_with_the_status_asked_for(status: int, code: str | None, stream: bool) -> None:
    exchange = await ask(said("Hi", stream=stream, echo={"error": status}))
    error = orjson.loads(await read_all(exchange))["error"]
    assert exchange.status == status
    assert error.keys() == {"message", "type", "param", "code"}
    assert code is None or error["code"] == code
    assert ("retry-after" in exchange.headers) == (status in (429, 503))


@pytest.mark.parametrize("after", [0, 1, 2, 9])
async def test_it_fails_in_band_after_so_many_words(after: int) -> None:
    stream = await read_all(await ask(said("one two", stream=True, echo={"error_after": after})))
    decoder = DIALECT.decoder(TARGET)
    with pytest.raises(GatewayError):
        decode_stream(decoder, frames_of(stream))
    assert decoder.content_chars == len("one two"[: [0, 3][after] if after < 2 else None])
    assert b"[DONE]" not in stream


async def test_a_whole_answer_fails_at_once() -> None:
    exchange = await ask(said("one two", echo={"error_after": 1}))
    assert (exchange.status, orjson.loads(await read_all(exchange))["error"]["code"]) == (500, "server_error")


@pytest.mark.parametrize("after", [0, 1, 9])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_connection_breaks_after_so_many_words(after: int, stream: bool) -> None:
    exchange = await ask(said("one two", stream=stream, echo={"cut_after": after}))
    pieces: list[bytes] = []
    assert isinstance(await _failure_of(exchange, pieces), ProviderBadAnswerError)
    read = b"".join(pieces)
    if stream:
        assert [word in read for word in (b'"one"', b'" two"', b'"stop"')] == [after > 0, after > 1, False]
    else:
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(read)
    assert isinstance(await _failure_of(exchange), ProviderBadAnswerError)


@pytest.mark.parametrize(
    ("echo", "param"),
    [
        ("text", "echo"),
        ({"delay": 1}, "echo.delay"),
        ({"delay_ms": -1}, "echo.delay_ms"),
        ({"delay_ms": "5"}, "echo.delay_ms"),
        ({"first_delay_ms": True}, "echo.first_delay_ms"),
        ({"error": 200}, "echo.error"),
        ({"error": 404.0}, "echo.error"),
        ({"error_after": -1}, "echo.error_after"),
        ({"cut_after": 1.5}, "echo.cut_after"),
        ({"text": 7}, "echo.text"),
        ({"reasoning": None}, "echo.reasoning"),
    ],
)
async def test_controls_that_make_no_sense_are_refused(echo: object, param: str) -> None:
    exchange = await ask(said("Hi", echo=echo))
    error = orjson.loads(await read_all(exchange))["error"]
    assert (exchange.status, error["type"], error["param"]) == (400, "invalid_request_error", param)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"[]", None),
        ({"model": "m"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages"),
        (said("x", n=0), "n"),
        (said("x", n="2"), "n"),
        (said("x", max_tokens=0), "max_tokens"),
    ],
)
async def test_requests_that_make_no_sense_are_refused(body: Body | bytes, param: str | None) -> None:
    exchange = await ask(body)
    error = orjson.loads(await read_all(exchange))["error"]
    assert (exchange.status, error["param"]) == (400, param)


async def test_there_is_nothing_at_other_paths() -> None:
    exchange = await ask(said("Hi"), path="/embeddings")
    assert (exchange.status, orjson.loads(await read_all(exchange))["error"]["code"]) == (404, "unknown_url")


async def test_an_undelayed_answer_comes_in_few_reads() -> None:
    exchange = await ask(said("word " * 100, stream=True))
    reads = 0
    while await exchange.read():
        reads += 1
    assert 5 < reads < 20


async def test_a_delayed_answer_comes_word_by_word() -> None:
    exchange = await ask(said("one two three", stream=True, echo={"delay_ms": 10, "first_delay_ms": 20}))
    began = time.monotonic()
    reads = []
    while piece := await exchange.read():
        reads.append((piece.count(b'"content":"') - piece.count(b'"content":""'), time.monotonic() - began))
    assert [words for words, _ in reads] == [1, 1, 1, 0]
    assert reads[0][1] >= 0.019
    assert reads[-1][1] >= 0.049


async def test_a_delayed_whole_answer_begins_when_it_is_finished() -> None:
    began = time.monotonic()
    exchange = await ask(said("one two three", echo={"delay_ms": 10, "first_delay_ms": 20}))
    assert time.monotonic() - began >= 0.039
    assert b"one two three" in await exchange.read()


async def test_failing_wakes_a_pending_read() -> None:
    exchange = await ask(said("Hi", stream=True, echo={"first_delay_ms": 60_000}))
    error = ProviderSilentError("too long")
    async with asyncio.TaskGroup() as group, asyncio.timeout(1):
        read = group.create_task(_failure_of(exchange))
        await asyncio.sleep(0)
        exchange.fail(error)
    assert read.result() is error
    assert await _failure_of(exchange) is error


async def test_failing_makes_the_next_read_fail() -> None:
    exchange = await ask(said("Hi", stream=True))
    error = ProviderSilentError("too long")
    exchange.fail(error)
    assert await _failure_of(exchange) is error


async def test_closing_wakes_a_pending_read_and_may_be_repeated() -> None:
    exchange = await ask(said("Hi", stream=True, echo={"first_delay_ms": 60_000}))
    async with asyncio.TaskGroup() as group, asyncio.timeout(1):
        read = group.create_task(_failure_of(exchange))
        await asyncio.sleep(0)
        exchange.close()
        exchange.close(linger_s=1)
    assert isinstance(read.result(), ProviderBadAnswerError)


async def test_a_cancelled_read_leaves_no_timer_behind() -> None:
    exchange = await ask(said("Hi", stream=True, echo={"first_delay_ms": 60_000}))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await exchange.read()
    assert exchange._waiting is None


async def _failure_of(exchange: EchoExchange, pieces: list[bytes] | None = None) -> Exception | None:
    """What reading to the end raises; `pieces` takes what came before."""
    try:
        while piece := await exchange.read():
            if pieces is not None:
                pieces.append(piece)
    except GatewayError as error:
        return error
    return None


async def test_what_the_dialect_encodes_is_understood() -> None:
    request = CompleteRequest(model="echo", extensions={"echo": '{"echo":{"reasoning":"Hm."}}'})
    request.messages.add(role=Role.ROLE_USER).parts.add(text="Hello there")
    for stream in (True, False):
        wire = DIALECT.encode(request, TARGET, stream=stream)
        exchange = await EchoTransport().open(TARGET.provider, wire, {})
        raw, decoder = await read_all(exchange), DIALECT.decoder(TARGET)
        answer = fold(*(decode_stream(decoder, frames_of(raw)) if stream else decode_whole(decoder, raw)))
        assert [part.text or part.reasoning.text for part in answer.choices[0].message.parts] == ["Hm.", "Hello there"]
        assert answer.usage.output_tokens == 3


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, None),
        (True, None),
        ({"type": "string"}, ""),
        ({"type": "string", "minLength": 2}, "xx"),
        ({"type": "integer"}, 0),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "number", "maximum": -1.5}, -1.5),
        ({"type": "number", "minimum": -5, "maximum": 5}, 0),
        ({"type": ["null", "boolean"]}, False),
        ({"type": "null"}, None),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": {"a": 1}}, {"a": 1}),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"anyOf": [{"type": "boolean"}, {"type": "string"}]}, False),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
        ({"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a", "c"]}, {"a": "", "c": None}),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "boolean"}}}, False),
        ({"$ref": "#/nowhere"}, None),
        ({"type": "array", "minItems": "two"}, []),
    ],
)
def test_the_smallest_value_fits_its_schema(schema: object, value: object) -> None:
    assert smallest_value(schema) == value


def test_a_schema_that_needs_itself_comes_to_an_end() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert orjson.dumps(smallest_value(schema)).count(b"next") < 20
