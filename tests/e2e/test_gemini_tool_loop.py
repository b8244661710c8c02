"""Tool loops with Gemini 3, before a provider that refuses what Google refuses."""

import json
from collections.abc import Mapping

import aiohttp
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

import trunkline
from openai_client import openai_client
from running_gateway import running_gateway, settings_for
from strict_gemini import Json
from strict_gemini_server import StrictGemini, strict_gemini
from trunkline.v1 import CompleteRequest, Message, Role, ToolCall
from trunkline_server.config.settings import Settings

THINKS = {"text": "Two places.", "thought": True}
TWO_CALLS: list[Json] = [
    THINKS,
    {"functionCall": {"name": "weather", "args": {"city": "Bern"}}},
    {"functionCall": {"name": "weather", "args": {"city": "Genf"}}},
]
ONE_CALL: list[Json] = [{"text": "And now:"}, {"functionCall": {"name": "weather", "args": {"city": "Chur"}}}]
ANSWER = [{"text": "It is sunny everywhere."}]
SUNNY = '{"sky": "sunny"}'
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}


def settings(server: StrictGemini) -> Settings:
    provider = {"kind": "gemini", "base_url": server.base_url, "api_key": "k"}
    return settings_for({}, models={"m": ["google/gemini-3-flash-preview"]}, providers={"google": provider})


def first_request() -> CompleteRequest:
    request = CompleteRequest(model="m")
    request.messages.add(role=Role.ROLE_USER).parts.add(text="What is the weather?")
    request.tools.add(name="weather", parameters=json.dumps(SCHEMA))
    return request


def results_of(message: Message) -> Message:
    results = Message(role=Role.ROLE_TOOL)
    for part in message.parts:
        if part.HasField("tool_call"):
            result = results.parts.add().tool_result
            result.call_id = part.tool_call.id
            result.parts.add(json=SUNNY)
    return results


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_loop_over_grpc_gives_each_signature_back(stream: bool) -> None:
    async with (
        strict_gemini(TWO_CALLS, ONE_CALL, ANSWER) as server,
        running_gateway(settings(server)) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        request, message = first_request(), Message()
        for _ in range(3):
            if stream:
                async with client.stream(request) as events:
                    answer = await events.answer()
            else:
                answer = await client.complete(request)
            message = answer.choices[0].message
            request.messages.append(message)
            request.messages.append(results_of(message))
        assert [part.text for part in message.parts] == ["It is sunny everywhere."]
        assert (server.complaints, server.stand_ins) == ([], 0)


TOOL: ChatCompletionToolParam = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


@pytest.mark.parametrize("whole_message", [True, False], ids=["as it came", "plain"])
async def test_a_loop_over_rest_is_accepted_whatever_the_client_sends_back(whole_message: bool) -> None:
    async with (
        strict_gemini(TWO_CALLS, ONE_CALL, ANSWER) as server,
        running_gateway(settings(server)) as gateway,
        openai_client(gateway) as client,
    ):
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather?"}]
        content: str | None = None
        for _ in range(3):
            answer = await client.chat.completions.create(model="m", messages=messages, tools=[TOOL])
            said = answer.choices[0].message
            content = said.content
            calls = [call.model_dump() for call in said.tool_calls or ()]
            plain: Mapping[str, object] = {"role": "assistant", "content": said.content, "tool_calls": calls}
            messages.append(said.model_dump() if whole_message else plain)  # type: ignore[arg-type]  # as clients do
            messages += [{"role": "tool", "tool_call_id": str(call["id"]), "content": SUNNY} for call in calls]
        assert content == "It is sunny everywhere."
        assert (server.complaints, server.stand_ins) == ([], 0)


async def test_a_loop_that_another_model_began_is_accepted_by_the_stand_in() -> None:
    async with (
        strict_gemini(ANSWER) as server,
        running_gateway(settings(server)) as gateway,
        trunkline.AsyncClient(gateway.grpc_address) as client,
    ):
        request = first_request()
        said = request.messages.add(role=Role.ROLE_ASSISTANT)
        for city in ("Bern", "Genf"):
            said.parts.add().tool_call.MergeFrom(
                ToolCall(id=f"toolu_{city}", name="weather", arguments=json.dumps({"city": city}))
            )
        request.messages.append(results_of(said))
        answer = await client.complete(request)
        assert trunkline.text_of(answer) == "It is sunny everywhere."
        assert (server.complaints, server.stand_ins) == ([], 1)


async def test_the_provider_refuses_what_google_refuses() -> None:
    call = {"functionCall": {"name": "weather", "args": {}}, "thoughtSignature": "Zm9yZ2Vk"}
    contents = [{"role": "user", "parts": [{"text": "Hi"}]}, {"role": "model", "parts": [call]}]
    async with strict_gemini(ANSWER) as server, aiohttp.ClientSession() as http:
        url = f"{server.base_url}/models/gemini-3.6-flash:generateContent"
        async with http.post(url, json={"contents": contents}) as response:
            assert response.status == 400
        assert server.complaints == [
            "contents[1]: 1 calls and 0 results",
            "contents must not end with a turn of the model",
            "contents[1]: Corrupted thought signature.",
        ]
