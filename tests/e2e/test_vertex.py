"""A whole gateway before Gemini on Google Cloud: tokens, addresses, answers, failures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import trunkline
from google_cloud import TOKEN, TokenServer, token_server, wants_token
from openai_client import HELLO, openai_client
from running_gateway import RunningGateway, running_gateway, settings_for
from strict_gemini import complaints
from trunkline.errors import ProviderCredentialsError
from trunkline.v1 import CompleteRequest
from upstream import Answer, Script, Upstream, running_upstream

PLACE = "projects/p/locations/global"
PATH = f"/v1/{PLACE}/publishers/google/models/gemini-3-flash"


def chunk(text: str, **more: object) -> dict[str, object]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, **more}], "responseId": "r1"}


USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 4, "totalTokenCount": 9}


async def says_hello(answer: Answer) -> None:
    assert complaints(answer.call.json, "gemini-3-flash") == []
    last = {**chunk(" you", finishReason="STOP"), "usageMetadata": USAGE}
    if answer.call.path.endswith("?alt=sse"):
        await answer.start_stream()
        await answer.frame(chunk("Hello"))
        await answer.frame(last)
        await answer.end_stream()
    else:
        await answer.json({**chunk("Hello you", finishReason="STOP"), "usageMetadata": USAGE})


@asynccontextmanager
async def gateway_before(
    script: Script, server: TokenServer, folder: Path, **provider: object
) -> AsyncIterator[tuple[Upstream, RunningGateway]]:
    async with running_upstream(script) as cloud:
        known = provider or {"google_cloud": {"credentials_file": server.key_file(folder)}}
        base_url = f"{cloud.base_url}/{PLACE}"
        settings = settings_for(
            {},
            models={"m": ["cloud/gemini-3-flash"]},
            providers={"cloud": {"kind": "vertex", "base_url": base_url, **known}},
        )
        async with running_gateway(settings) as gateway:
            yield cloud, gateway


async def test_an_answer_over_rest_and_grpc_streamed_and_whole(tmp_path: Path) -> None:
    async with (
        token_server() as server,
        gateway_before(wants_token(says_hello, f"{TOKEN}1"), server, tmp_path) as (cloud, gateway),
        openai_client(gateway) as rest,
        trunkline.AsyncClient(gateway.grpc_address) as grpc,
    ):
        whole = await rest.chat.completions.create(model="m", messages=HELLO)
        chunks = [
            part
            async for part in await rest.chat.completions.create(
                model="m", messages=HELLO, stream=True, stream_options={"include_usage": True}
            )
        ]
        answer = await grpc.complete(CompleteRequest(model="m", prompt="Hi"))
        async with grpc.stream(CompleteRequest(model="m", prompt="Hi")) as events:
            texts = [text async for text in events.texts()]
        assert whole.choices[0].message.content == "Hello you"
        assert whole.usage is not None
        assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (3, 6)
        assert "".join(choice.delta.content or "" for part in chunks for choice in part.choices) == "Hello you"
        assert chunks[-1].usage == whole.usage
        assert trunkline.text_of(answer) == "".join(texts) == "Hello you"
        assert [call.path for call in cloud.calls] == [
            f"{PATH}:generateContent",
            f"{PATH}:streamGenerateContent?alt=sse",
            f"{PATH}:generateContent",
            f"{PATH}:streamGenerateContent?alt=sse",
        ]
        assert server.given == 1


async def test_a_token_is_fetched_when_the_gateway_starts(tmp_path: Path) -> None:
    async with token_server() as server, gateway_before(says_hello, server, tmp_path) as (cloud, _):
        await server.upstream.wait_for_calls(1)
        assert cloud.calls == []


async def test_a_client_whose_gateway_has_no_credentials_is_told_what_to_do(tmp_path: Path) -> None:
    async with token_server() as server:
        server.refusal = (400, {"error": "invalid_grant", "error_description": "canary"})
        async with (
            gateway_before(says_hello, server, tmp_path) as (cloud, gateway),
            trunkline.AsyncClient(gateway.grpc_address) as grpc,
        ):
            with pytest.raises(ProviderCredentialsError) as caught:
                await grpc.complete(CompleteRequest(model="m", prompt="Hi"))
            assert "set google_cloud.credentials_file" in caught.value.message
            assert "canary" not in caught.value.message
            assert cloud.calls == []


async def test_a_token_that_is_refused_is_no_clients_trouble(tmp_path: Path) -> None:
    async with (
        token_server() as server,
        gateway_before(wants_token(says_hello, f"{TOKEN}2"), server, tmp_path) as (_, gateway),
        trunkline.AsyncClient(gateway.grpc_address) as grpc,
    ):
        answer = await grpc.complete(CompleteRequest(model="m", prompt="Hi"))
        assert trunkline.text_of(answer) == "Hello you"
        assert len(answer.report.attempts) == 1


async def test_a_key_of_express_mode_needs_no_credentials(tmp_path: Path) -> None:
    async with (
        token_server() as server,
        gateway_before(says_hello, server, tmp_path, api_key="express-key") as (cloud, gateway),
        trunkline.AsyncClient(gateway.grpc_address) as grpc,
    ):
        answer = await grpc.complete(CompleteRequest(model="m", prompt="Hi"))
        assert trunkline.text_of(answer) == "Hello you"
        headers = cloud.calls[0].headers
        assert (headers["x-goog-api-key"], headers.get("authorization"), server.given) == ("express-key", None, 0)
