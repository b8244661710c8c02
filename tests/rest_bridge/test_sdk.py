"""The real OpenAI SDK against the bridge, over every form of the gateway."""

import json

import openai as sdk
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from fake_gateway import FakeGateway, batch, begun, done, failed, finished, greeting, said, started, stopped
from trunkline.errors import (
    BadKeyError,
    ContextLengthError,
    GatewayError,
    IdempotencyConflictError,
    InvalidRequestError,
    NotAllowedError,
    NotFoundError,
    OverloadedError,
    ProviderBadAnswerError,
    ProviderThrottledError,
    ProviderUnavailableError,
)
from trunkline.v1 import Event, FinishReason, Model, NoteAction, Part, Reasoning, ToolCall, Usage

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def call(name: str, *pieces: str, index: int, id: str) -> list[Event]:  # noqa: A002 the field's own name
    return [
        begun(Part(tool_call=ToolCall(id=id, name=name)), index=index),
        *(Event(part=index, arguments=piece) for piece in pieces),
        done(index=index),
    ]


def two_calls() -> list[Event]:
    return [
        started(),
        begun(Part(reasoning=Reasoning())),
        Event(reasoning="let me "),
        Event(reasoning="think"),
        done(),
        *call("weather", '{"city":', '"Rome"}', index=1, id="call_1"),
        *call("time", index=2, id="call_2"),
        stopped(FinishReason.FINISH_REASON_TOOL_CALLS, native="tool_calls"),
        finished(Usage(input_tokens=7, output_tokens=3, reasoning_tokens=0, cache_read_tokens=4)),
    ]


async def test_the_sdk_reads_a_whole_answer(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    answer = await openai.chat.completions.create(
        model="fast", messages=MESSAGES, extra_headers={"x-request-id": "mine-1"}, extra_body={"min_p": 0.25}
    )
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "Hello", "stop")
    assert (answer.id, answer.model, answer.created) == ("chatcmpl-1", "fake-1", 1_700_000_000)
    assert answer.usage is not None
    assert answer.usage.total_tokens == 7
    assert answer._request_id == "mine-1"
    assert gateway.asked.model == "fast"
    assert gateway.asked.extensions["openai_chat"] == '{"min_p":0.25}'
    assert (gateway.context.credential.reveal(), gateway.context.request_id) == ("sk-test", "mine-1")


async def test_what_a_translation_lost_is_told_in_a_header(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    last = finished()
    last.finished.report.attempts[0].notes.add(field="top_k", action=NoteAction.NOTE_ACTION_DROPPED, reason="none")
    gateway.script = [batch(started(), begun(), said("x"), done(), stopped(), last)]
    raw = await openai.chat.completions.with_raw_response.create(model="fast", messages=MESSAGES)
    assert json.loads(raw.headers["x-trunkline-notes"]) == [{"field": "top_k", "action": "dropped", "reason": "none"}]


async def test_the_sdk_reads_a_stream(openai: AsyncOpenAI) -> None:
    stream = await openai.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
    chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "Hel", "lo", None]
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant", None, None, None]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {("chatcmpl-1", 1_700_000_000, "fake-1")}
    extra = chunks[-1].model_extra
    assert extra is not None
    assert extra["trunkline"]["target"] == "fake/fake-1"


async def test_usage_comes_on_a_last_chunk_of_its_own_if_asked_for(openai: AsyncOpenAI) -> None:
    stream = await openai.chat.completions.create(
        model="fast", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    *others, last = [chunk async for chunk in stream]
    assert all(chunk.usage is None and chunk.choices for chunk in others)
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (5, 2, 7)


async def test_the_sdk_puts_streamed_tool_calls_together(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    gateway.script = [batch(event) for event in two_calls()]
    async with openai.chat.completions.stream(model="fast", messages=MESSAGES, tools=[TOOL]) as stream:
        answer = await stream.get_final_completion()
    message = answer.choices[0].message
    assert message.tool_calls is not None
    assert [(made.id, made.function.name, made.function.arguments) for made in message.tool_calls] == [
        ("call_1", "weather", '{"city":"Rome"}'),
        ("call_2", "time", "{}"),
    ]
    assert message.model_extra is not None
    assert (message.content, message.model_extra["reasoning_content"]) == (None, "let me think")
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_a_whole_answer_says_the_same_as_a_stream(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    gateway.script = [batch(*two_calls())]
    async with openai.chat.completions.stream(model="fast", messages=MESSAGES, tools=[TOOL]) as stream:
        streamed = (await stream.get_final_completion()).choices[0].message.to_dict(exclude_none=True)
    answer = await openai.chat.completions.create(model="fast", messages=MESSAGES)
    whole = answer.choices[0].message.to_dict(exclude_none=True)
    assert whole.pop("annotations") == []
    for made in streamed["tool_calls"]:  # type: ignore[attr-defined] # a plain dict by now
        # What the SDK itself adds when it puts chunks together.
        made.pop("index", None)
        made["function"].pop("parsed_arguments", None)
    assert streamed == whole


async def test_a_conversation_goes_on_with_the_answer_as_received(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    gateway.script = [batch(*two_calls())]
    answer = await openai.chat.completions.create(model="fast", messages=MESSAGES)
    said_before = answer.choices[0].message.to_dict()
    await openai.chat.completions.create(
        model="fast",
        messages=[
            *MESSAGES,
            said_before,  # type: ignore[list-item] # the SDK's models are not its own parameters' types
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "call_2", "content": "noon"},
        ],
    )
    parts = gateway.asked.messages[1].parts
    assert [part.WhichOneof("content") for part in parts] == ["reasoning", "tool_call", "tool_call"]
    assert [part.tool_call.arguments for part in parts[1:]] == ['{"city":"Rome"}', "{}"]


async def test_the_sdk_parses_a_structured_answer(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    class Place(BaseModel):
        city: str

    gateway.script = greeting('{"city":', '"Rome"}')
    answer = await openai.chat.completions.parse(model="fast", messages=MESSAGES, response_format=Place)
    assert answer.choices[0].message.parsed == Place(city="Rome")
    wanted = gateway.asked.response_format
    assert (wanted.name, wanted.strict) == ("Place", True)
    assert json.loads(wanted.schema)["properties"] == {"city": {"title": "City", "type": "string"}}


async def test_the_functions_api_still_works(openai: AsyncOpenAI, gateway: FakeGateway) -> None:
    gateway.script = [
        batch(
            started(),
            *call("weather", "{}", index=0, id="call_1"),
            stopped(FinishReason.FINISH_REASON_TOOL_CALLS, native="tool_calls"),
            finished(),
        )
    ]
    answer = await openai.chat.completions.create(
        model="fast", messages=MESSAGES, functions=[{"name": "weather"}], function_call="auto"
    )
    choice = answer.choices[0]
    assert choice.message.function_call is not None
    assert (choice.message.function_call.name, choice.message.function_call.arguments) == ("weather", "{}")
    assert (choice.finish_reason, choice.message.tool_calls) == ("function_call", None)
    stream = await openai.chat.completions.create(
        model="fast", messages=MESSAGES, functions=[{"name": "weather"}], stream=True
    )
    deltas = [chunk.choices[0].delta.function_call async for chunk in stream]
    assert [(made.name, made.arguments) for made in deltas if made] == [("weather", ""), (None, "{}")]


ERRORS: list[tuple[GatewayError, type[sdk.APIStatusError]]] = [
    (InvalidRequestError("x"), sdk.BadRequestError),
    (ContextLengthError("x"), sdk.BadRequestError),
    (BadKeyError("x"), sdk.AuthenticationError),
    (NotAllowedError("x"), sdk.PermissionDeniedError),
    (NotFoundError("x"), sdk.NotFoundError),
    (IdempotencyConflictError("x"), sdk.ConflictError),
    (ProviderThrottledError("x", retry_after_ms=5000), sdk.RateLimitError),
    (OverloadedError("x"), sdk.InternalServerError),
    (ProviderUnavailableError("x"), sdk.InternalServerError),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("error", "expected"), ERRORS)
async def test_a_failure_is_the_sdks_own_exception(
    openai: AsyncOpenAI,
    gateway: FakeGateway,
    error: GatewayError,
    expected: type[sdk.APIStatusError],
    stream: bool,
) -> None:
    gateway.script = [batch(failed(error)), error] if stream else [error]
    with pytest.raises(expected) as caught:
        await openai.chat.completions.create(model="fast", messages=MESSAGES, stream=stream)
    assert caught.value.body is not None
    assert caught.value.request_id == gateway.context.request_id


async def test_a_failure_inside_a_stream_is_raised_after_what_came_before(
    openai: AsyncOpenAI, gateway: FakeGateway
) -> None:
    error = ProviderBadAnswerError("the provider's answer was cut off")
    gateway.script = [batch(started(), begun(), said("Hel")), batch(failed(error)), error]
    stream = await openai.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
    assert [(await anext(stream)).choices[0].delta.content for _ in range(2)] == ["", "Hel"]
    with pytest.raises(sdk.APIError, match="the provider's answer was cut off") as caught:
        await anext(stream)
    assert caught.value.code == "provider_bad_answer"


async def test_the_sdk_lists_models_and_gets_one_whose_name_has_slashes(
    openai: AsyncOpenAI, gateway: FakeGateway
) -> None:
    gateway.models = [
        Model(id="fast", owner="fake", created_at_ms=1_700_000_000_000),
        Model(id="fake/org/fake-1", shutdown_at_ms=1_800_000_000_000),
        Model(id="slow", owner="fake"),
    ]
    gateway.page_size = 2
    listed = await openai.models.list()
    assert [(model.id, model.owned_by, model.created, model.shutdown_date) for model in listed.data] == [
        ("fast", "fake", 1_700_000_000, None),
        ("fake/org/fake-1", "trunkline", 0, "2027-01-15"),
        ("slow", "fake", 0, None),
    ]
    assert (await openai.models.retrieve("fake/org/fake-1")).id == "fake/org/fake-1"
    with pytest.raises(sdk.NotFoundError) as caught:
        await openai.models.retrieve("nobody/has-it")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_every_call_needs_the_key(base_url: str, gateway: FakeGateway) -> None:
    gateway.key = "sk-right"
    async with AsyncOpenAI(base_url=f"{base_url}/v1", api_key="sk-wrong", max_retries=0) as client:
        for attempt in (
            client.models.list(),
            client.models.retrieve("fast"),
            client.chat.completions.create(model="fast", messages=MESSAGES),
            client.chat.completions.create(model="fast", messages=MESSAGES, stream=True),
        ):
            with pytest.raises(sdk.AuthenticationError) as caught:
                await attempt
            assert caught.value.code == "invalid_api_key"
            assert "sk-wrong" not in str(caught.value)
