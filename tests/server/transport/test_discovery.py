"""Finding inference servers on this machine, on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from model_server import ModelServer, listing, serving
from trunkline_server.providers.kinds import KINDS, ProviderKind
from trunkline_server.transport.discovery import probe_local_engines
from trunkline_server.transport.http import HttpTransport


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with HttpTransport(connect_timeout_s=2) as transport:
        yield transport.session


def kinds_at(**servers: ModelServer) -> list[ProviderKind]:
    """The provider table with these local kinds at these servers, and the others nowhere."""
    local = [
        ProviderKind(name=name, dialect="openai_chat", base_url=at.base_url, local=True) for name, at in servers.items()
    ]
    elsewhere = [
        ProviderKind(name=name, dialect="openai_chat", base_url="http://127.0.0.1:1/v1")
        for name in KINDS
        if name not in servers
    ]
    return [*local, *elsewhere]


# An engine on vLLM's usual port: what it answers, and what it is taken for.
ENGINES: Mapping[str, tuple[Mapping[str, object], Mapping[str, str], str]] = {
    "vllm": ({"/v1/models": listing("m", owner="vllm")}, {}, "vllm"),
    "sglang": ({"/v1/models": listing("m", owner="sglang")}, {}, "sglang"),
    "tgi by its greeting": ({"/v1/models": listing("m", owner="m"), "/info": {"max_total_tokens": 4096}}, {}, "tgi"),
    "llama.cpp by its models": ({"/v1/models": listing("m", owner="llamacpp")}, {}, "llamacpp"),
    "llama.cpp by its header": ({"/v1/models": listing("m")}, {"Server": "llama.cpp"}, "llamacpp"),
    "ollama by its models": ({"/v1/models": listing("m", owner="library")}, {}, "ollama"),
    "ollama by its greeting": (
        {"/v1/models": listing("m", owner="someone"), "/api/version": {"version": "0.13.0"}},
        {},
        "ollama",
    ),
    "lm studio by its models": ({"/v1/models": listing("m", owner="organization_owner")}, {}, "lmstudio"),
    "lm studio by its greeting": (
        {
            "/v1/models": listing("m"),
            "/api/version": {"error": "Unexpected endpoint or method."},
            "/lmstudio-greeting": {"lmstudio": True},
        },
        {},
        "lmstudio",
    ),
    "transformers serve": ({"/v1/models": listing("m", owner="Qwen")}, {}, "openai_compatible"),
    "a gateway like this one": ({"/v1/models": listing("m", owner="openai")}, {}, "openai_compatible"),
}


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_engine_is_what_it_says_and_not_where_it_is(session: aiohttp.ClientSession, engine: str) -> None:
    routes, headers, kind = ENGINES[engine]
    async with serving(routes, headers=headers) as server:
        [(provider, ids)] = await probe_local_engines(session, kinds_at(vllm=server), ())
    name = {"vllm": "vllm", "openai_compatible": f"local-{server.port}"}.get(kind, f"{kind}-{server.port}")
    assert (provider.kind.name, provider.name, provider.base_url, ids) == (kind, name, server.base_url, ["m"])
    assert not provider.api_keys
    assert [
        request.headers.get("Authorization") for request in server.requests if "Authorization" in request.headers
    ] == []


async def test_engines_without_models_are_known_by_their_greeting(session: aiohttp.ClientSession) -> None:
    routes = {"/v1/models": {"object": "list", "data": None}, "/api/version": {"version": "0.13.0"}}
    async with serving(routes) as server:
        [(provider, ids)] = await probe_local_engines(session, kinds_at(ollama=server), ())
    assert (provider.name, ids) == ("ollama", [])


async def test_all_engines_are_found_at_once(session: aiohttp.ClientSession) -> None:
    owners = {
        "vllm": "vllm",
        "sglang": "sglang",
        "ollama": "library",
        "llamacpp": "llamacpp",
        "lmstudio": "organization_owner",
    }
    arrived, all_there = [], asyncio.Event()

    def together(owner: str) -> object:
        async def answer(request: web.Request) -> web.Response:
            arrived.append(owner)
            if len(arrived) == len(owners):
                all_there.set()
            await all_there.wait()
            return web.json_response(listing("m", owner=owner))

        return answer

    async with AsyncExitStack() as stack:
        servers = {
            kind: await stack.enter_async_context(serving({"/v1/models": together(owner)}))
            for kind, owner in owners.items()
        }
        found = await probe_local_engines(session, kinds_at(**servers), (), timeout_s=5)
    assert {provider.name for provider, _ in found} == owners.keys()


async def test_the_gateways_own_ports_are_left_alone(session: aiohttp.ClientSession) -> None:
    async with serving({"/v1/models": listing("m", owner="vllm")}) as server:
        assert await probe_local_engines(session, kinds_at(vllm=server), {server.port}) == []
        assert server.requests == []


async def test_silence_ends_with_the_time_allowed(session: aiohttp.ClientSession) -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with serving({"/v1/models": hang}) as silent, serving({"/v1/models": listing("m", owner="library")}) as quick:
        found = await probe_local_engines(session, kinds_at(vllm=silent, ollama=quick), (), timeout_s=1)
    assert [provider.name for provider, _ in found] == ["ollama"]


async def test_a_silent_greeting_does_not_lose_the_engine(session: aiohttp.ClientSession) -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with serving({"/v1/models": listing("m"), "/api/version": hang, "/lmstudio-greeting": hang}) as server:
        [(provider, ids)] = await probe_local_engines(session, kinds_at(vllm=server), (), timeout_s=1)
    assert (provider.name, ids) == (f"local-{server.port}", ["m"])


@pytest.mark.parametrize("route", [{"error": "no"}, "text", 401, 503])
async def test_what_is_no_engine_is_not_offered(session: aiohttp.ClientSession, route: object) -> None:
    async def refuse(request: web.Request) -> web.Response:
        assert isinstance(route, int)
        return web.Response(status=route)

    async with serving({"/v1/models": refuse if isinstance(route, int) else route}) as server:
        assert await probe_local_engines(session, kinds_at(vllm=server), ()) == []


async def test_nothing_there_is_nothing_found(session: aiohttp.ClientSession) -> None:
    async with serving({}) as server:
        gone = kinds_at(vllm=server)
    assert await probe_local_engines(session, gone, ()) == []


def test_the_table_has_a_local_row_for_every_engine_that_can_be_told() -> None:
    assert {kind.name for kind in KINDS.values() if kind.local} == {"vllm", "sglang", "ollama", "llamacpp", "lmstudio"}
