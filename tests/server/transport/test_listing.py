"""Asking a provider for its models, on real sockets."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from model_server import listing, serving
from trunkline.errors import (
    GatewayError,
    ProviderBadAnswerError,
    ProviderCredentialsError,
    ProviderQuotaError,
    ProviderSilentError,
    ProviderThrottledError,
    ProviderUnavailableError,
)
from trunkline.secret import NO_SECRET, Secret
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.target import Provider
from trunkline_server.transport.http import HttpTransport
from trunkline_server.transport.listing import MAX_LISTING_BYTES, list_model_ids


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with HttpTransport(connect_timeout_s=2) as transport:
        yield transport.session


def provider(base_url: str, api_key: Secret = NO_SECRET) -> Provider:
    return Provider(
        name="p",
        kind=KINDS["openai"],
        base_url=base_url,
        api_keys=(api_key,) if api_key else (),
        headers={"OpenAI-Organization": "org"},
    )


async def test_anthropic_is_asked_for_all_its_models_in_its_own_version(session: aiohttp.ClientSession) -> None:
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response(listing("claude-opus-5"))

    app = web.Application()
    app.router.add_get("/v1/models", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        claude = Provider(name="a", kind=KINDS["anthropic"], base_url=url, api_keys=(Secret("sk-a"),))
        assert await list_model_ids(session, claude, 2) == ["claude-opus-5"]
    finally:
        await runner.cleanup()
    [request] = asked
    assert request.query_string == "limit=1000"
    assert (request.headers["anthropic-version"], request.headers["x-api-key"]) == ("2023-06-01", "sk-a")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (listing("b", "a"), ["b", "a"]),
        (listing(), []),
        ({"object": "list", "data": None}, []),
        ([{"id": "a"}, {"id": "b"}], ["a", "b"]),
        ({"data": [{"id": "a"}, {"id": "a", "x": 1}]}, ["a"]),
        (
            {
                "models": [
                    {"name": "models/a", "supportedGenerationMethods": ["generateContent", "countTokens"]},
                    {"name": "models/embed", "supportedGenerationMethods": ["embedContent"]},
                    {"name": "tunedModels/b"},
                    {"id": "c"},
                    7,
                ],
                "nextPageToken": "t",
            },
            ["a", "tunedModels/b"],
        ),
        ({"data": [{"id": 1}, {}, None, "x", {"id": ""}, {"id": "a\nb"}, {"id": "x" * 257}, {"id": "ok"}]}, ["ok"]),
    ],
)
async def test_ids_are_read_from_what_providers_send(
    session: aiohttp.ClientSession, body: object, expected: list[str]
) -> None:
    async with serving({"/v1/models": body}) as server:
        assert await list_model_ids(session, provider(server.base_url), 2) == expected


async def test_the_call_carries_the_providers_credential_and_headers(session: aiohttp.ClientSession) -> None:
    async with serving({"/v1/models": listing("a")}) as server:
        await list_model_ids(session, provider(server.base_url, Secret("sk-1")), 2)
        await list_model_ids(session, provider(server.base_url), 2)
        sent = [(r.headers.get("Authorization"), r.headers.get("OpenAI-Organization")) for r in server.requests]
        assert sent == [("Bearer sk-1", "org"), (None, "org")]


async def garbage(request: web.Request) -> web.Response:
    return web.Response(body=b'{"data": [' + b"\xff")


async def far_too_long(request: web.Request) -> web.Response:
    return web.Response(body=b" " * (MAX_LISTING_BYTES + 1))


async def a_page(request: web.Request) -> web.Response:
    return web.Response(text="<html>welcome</html>", content_type="text/html")


async def broken_compression(request: web.Request) -> web.Response:
    return web.Response(body=b"not gzip", headers={"Content-Encoding": "gzip"})


async def hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    ("route", "error"),
    [
        (garbage, ProviderBadAnswerError),
        (far_too_long, ProviderBadAnswerError),
        (a_page, ProviderBadAnswerError),
        ({"models": []}, ProviderBadAnswerError),
        ({"data": "x"}, ProviderBadAnswerError),
        ("text", ProviderBadAnswerError),
        (broken_compression, ProviderUnavailableError),
        (hang_up, ProviderUnavailableError),
    ],
)
async def test_what_is_no_list_is_an_error(
    session: aiohttp.ClientSession, route: object, error: type[GatewayError]
) -> None:
    async with serving({"/v1/models": route}) as server:
        with pytest.raises(error, match="provider p "):
            await list_model_ids(session, provider(server.base_url), 2)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, ProviderBadAnswerError),
        (401, ProviderCredentialsError),
        (402, ProviderQuotaError),
        (403, ProviderCredentialsError),
        (404, ProviderBadAnswerError),
        (429, ProviderThrottledError),
        (500, ProviderUnavailableError),
        (503, ProviderUnavailableError),
    ],
)
async def test_statuses_tell_why_there_is_no_list(
    session: aiohttp.ClientSession, status: int, error: type[GatewayError]
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status, text="sk-Canary", headers={"Location": "/elsewhere"})

    async with serving({"/v1/models": refuse, "/elsewhere": listing("a")}) as server:
        with pytest.raises(error) as caught:
            await list_model_ids(session, provider(server.base_url, Secret("sk-Canary")), 2)
        assert (type(caught.value), caught.value.provider_status) == (error, status)
        assert "Canary" not in str(caught.value)
        assert server.paths() == ["/v1/models"]


async def test_a_provider_that_is_not_there_is_unavailable(session: aiohttp.ClientSession) -> None:
    async with serving({}) as server:
        gone = provider(server.base_url)
    with pytest.raises(ProviderUnavailableError, match="provider p cannot be reached: the connection was refused"):
        await list_model_ids(session, gone, 2)


async def test_a_silent_provider_is_given_up_and_its_connection_closed(session: aiohttp.ClientSession) -> None:
    closed = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()
        return web.Response()

    async with serving({"/v1/models": hang}) as server:
        with pytest.raises(ProviderSilentError, match="did not list its models"):
            await list_model_ids(session, provider(server.base_url), 0.05)
        await asyncio.wait_for(closed.wait(), 2)


async def test_a_list_that_drips_is_given_up_too(session: aiohttp.ClientSession) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    async with serving({"/v1/models": drip}) as server:
        with pytest.raises(ProviderSilentError):
            await list_model_ids(session, provider(server.base_url), 0.05)
