"""The real OpenAI SDK through the bridge and the engine: what a program says arrives, what a provider says comes back."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai as sdk
import pytest
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel, Field

from openai_client import HELLO, openai_client
from running_gateway import FORMS, Form, RunningGateway, running_gateway, settings_for
from upstream import Answer, Script, Upstream, answers, chunk, completion, fails, running_upstream

FORM = pytest.mark.parametrize("form", FORMS)


class Weather(BaseModel):
    """How the weather is."""

    city: str
    days: int = Field(ge=1)


PARTS: list[ChatCompletionMessageParam] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://images.example/cat.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        ],
    }
]


@asynccontextmanager
async def serving(
    form: Form, script: Script, *, kind: str = "openai_compatible"
) -> AsyncIterator[tuple[Upstream, sdk.AsyncOpenAI, RunningGateway]]:
    """The SDK at a gateway whose model "m" is a provider that follows the script."""
    async with running_upstream(script) as up:
        provider = {"kind": kind, "base_url": up.base_url, "api_key": "sk-a"}
        settings = settings_for({}, models={"m": ["a/m"]}, providers={"a": provider})
        async with running_gateway(settings, form=form) as gateway, openai_client(gateway) as client:
            yield up, client, gateway


@FORM
async def test_structured_output_is_asked_for_and_parsed(form: Form) -> None:
    text = '{"city":"Rome","days":2}'
    async with serving(form, answers(text)) as (up, client, _):
        whole = await client.chat.completions.parse(model="m", messages=HELLO, response_format=Weather)
        async with client.chat.completions.stream(model="m", messages=HELLO, response_format=Weather) as stream:
            streamed = await stream.get_final_completion()
    for answer in (whole, streamed):
        assert answer.choices[0].message.parsed == Weather(city="Rome", days=2)
    for call in up.calls:
        wanted = call.json["response_format"]
        assert (wanted["type"], wanted["json_schema"]["name"], wanted["json_schema"]["strict"]) == (
            "json_schema",
            "Weather",
            True,
        )
        assert list(wanted["json_schema"]["schema"]["properties"]) == ["city", "days"]


@FORM
async def test_a_tool_is_called_with_what_its_schema_allows_and_its_result_heard(form: Form) -> None:
    tool = sdk.pydantic_function_tool(Weather)
    messages: list[Any] = [{"role": "user", "content": "Weather, please"}]
    async with running_gateway(settings_for({}), form=form) as gateway, openai_client(gateway) as client:
        asked = await client.chat.completions.parse(
            model="echo", messages=messages, tools=[tool], tool_choice="required"
        )
        assert asked.choices[0].message.tool_calls is not None
        (call,) = asked.choices[0].message.tool_calls
        assert call.function.parsed_arguments == Weather(city="", days=1)
        messages += [
            asked.choices[0].message.to_dict(),
            {"role": "tool", "tool_call_id": call.id, "content": "sunny all day"},
        ]
        answered = await client.chat.completions.create(model="echo", messages=messages, tools=[tool])
    assert answered.choices[0].message.content == "sunny all day"


@FORM
@pytest.mark.parametrize("stream", [False, True])
async def test_image_and_audio_parts_reach_the_provider_as_they_were(form: Form, stream: bool) -> None:
    async with serving(form, answers()) as (up, client, _):
        answer = await client.chat.completions.create(model="m", messages=PARTS, stream=stream)
        if isinstance(answer, sdk.AsyncStream):
            assert [chunk async for chunk in answer]
    assert up.calls[0].json["messages"] == PARTS


async def speaks(answer: Answer) -> None:
    """Answers in sound: "AAEC" in base64."""
    head = {"id": "audio_1", "expires_at": 1_800_000_000}
    if not answer.call.json["stream"]:
        await answer.json(completion("", audio={**head, "data": "AAEC", "transcript": "hello"}))
        return
    await answer.start_stream()
    for delta in ({"role": "assistant", "audio": {"id": "audio_1", "transcript": "hel"}}, {"audio": {"data": "AAEC"}}):
        await answer.frame(chunk(delta))
    await answer.frame(chunk({"audio": {"transcript": "lo"}}))
    await answer.frame(chunk({"audio": {"expires_at": 1_800_000_000}}))
    await answer.frame(chunk({}, finish_reason="stop"))
    await answer.frame(b"[DONE]")
    await answer.end_stream()


@FORM
async def test_sound_comes_back_whole_and_in_pieces(form: Form) -> None:
    ask: dict[str, Any] = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    async with serving(form, speaks, kind="openai") as (up, client, _):
        whole = await client.chat.completions.create(model="m", messages=HELLO, **ask)
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True, **ask)
        deltas = [json.loads(chunk.choices[0].delta.to_json()) async for chunk in stream]
    audio = whole.choices[0].message.audio
    assert audio is not None
    assert (audio.id, audio.data, audio.transcript, audio.expires_at) == ("audio_1", "AAEC", "hello", 1_800_000_000)
    pieces = [delta["audio"] for delta in deltas if "audio" in delta]
    assert "".join(piece.get("transcript", "") for piece in pieces) == "hello"
    assert [piece["data"] for piece in pieces if piece.get("data")] == ["AAEC"]
    assert up.calls[0].json["modalities"] == ["text", "audio"]


REFUSED = {"message": "bad tool", "type": "invalid_request_error", "param": "tools", "code": "invalid_value"}


@FORM
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("script", "kind", "told"),
    [
        (fails(400, REFUSED), sdk.BadRequestError, (400, "invalid_value", "tools")),
        (fails(401, {"message": "bad key sk-a"}), sdk.InternalServerError, (502, "provider_credentials", None)),
        (fails(429, {"code": "insufficient_quota"}), sdk.RateLimitError, (429, "insufficient_quota", None)),
        (
            fails(400, {"code": "context_length_exceeded"}),
            sdk.BadRequestError,
            (400, "context_length_exceeded", "messages"),
        ),
    ],
)
async def test_a_providers_failure_is_the_sdks_own_exception(
    form: Form, script: Script, kind: type[sdk.APIStatusError], told: tuple[object, ...], stream: bool
) -> None:
    async with serving(form, script) as (up, client, gateway):
        with pytest.raises(kind) as caught:
            await client.chat.completions.create(model="m", messages=HELLO, stream=stream)
    error = caught.value
    assert (error.status_code, error.code, error.param) == told
    assert "sk-a" not in error.response.text
    assert error.response.headers["x-trunkline-attempts"] == str(len(up.calls))
    assert error.request_id == gateway.ledger.records[0].request_id


@FORM
async def test_logprobs_come_with_their_words(form: Form) -> None:
    async with running_gateway(settings_for({}), form=form) as gateway, openai_client(gateway) as client:
        stream = await client.chat.completions.create(
            model="echo", messages=[{"role": "user", "content": "one two"}], stream=True, logprobs=True
        )
        choices = [chunk.choices[0] async for chunk in stream]
        older = await client.completions.create(model="echo", prompt="one two", logprobs=1)
    spoken = [choice for choice in choices if choice.delta.content]
    assert [[item.token for item in c.logprobs.content or ()] for c in spoken if c.logprobs] == [["one"], [" two"]]
    assert older.choices[0].logprobs is not None
    assert (older.choices[0].logprobs.tokens, older.choices[0].logprobs.text_offset) == (["one", " two"], [0, 3])


@FORM
async def test_members_that_only_a_provider_knows_stand_on_the_delta(form: Form) -> None:
    async def script(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame(chunk({"role": "assistant", "content": "x", "mood": "fine"}))
        await answer.frame(chunk({}, finish_reason="stop"))
        await answer.frame(b"[DONE]")
        await answer.end_stream()

    async with serving(form, script) as (_, client, _):
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
        chunks = [json.loads(chunk.to_json()) async for chunk in stream]
    assert [c["choices"][0]["delta"]["mood"] for c in chunks if "mood" in c["choices"][0]["delta"]] == ["fine"]
    assert all("message" not in c["choices"][0] for c in chunks)
