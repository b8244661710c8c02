"""What operators see: health, readiness, and how the bridge goes away."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from fake_gateway import FakeGateway, batch, begun, greeting, said, started
from trunkline.gateway import Gateway
from trunkline_bridge.app import create_app, create_runner, drain_app
from trunkline_bridge.settings import BridgeSettings

PATH = "/v1/chat/completions"
HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[tuple[web.Application, aiohttp.ClientSession]]:
    """The application itself within reach."""
    app = create_app(gateway, BridgeSettings())
    runner = create_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
            yield app, http
    finally:
        await runner.cleanup()


async def status_of(http: aiohttp.ClientSession, path: str) -> int:
    async with http.get(path) as response:
        return response.status


async def test_health_needs_no_key(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    gateway.key = "sk-right"
    assert (await status_of(http, "/healthz"), await status_of(http, "/readyz")) == (200, 200)
    assert await status_of(http, "/v1/models") == 401


async def test_readiness_is_the_gateways() -> None:
    gateway = FakeGateway(is_ready=False)
    async with running(gateway) as (_, http):
        assert (await status_of(http, "/healthz"), await status_of(http, "/readyz")) == (200, 503)
        gateway.is_ready = True
        assert await status_of(http, "/readyz") == 200


async def test_a_gateway_that_does_not_say_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline_bridge.health.READY_TIMEOUT_S", 0.05)

    class Mute(FakeGateway):
        async def ready(self) -> bool:
            await asyncio.Event().wait()
            return True

    async with running(Mute()) as (_, http):
        assert await status_of(http, "/readyz") == 503


async def test_a_draining_bridge_finishes_what_runs_and_takes_nothing_more() -> None:
    answer = asyncio.Event()
    gateway = FakeGateway(script=[answer, *greeting()])
    async with running(gateway) as (app, http):
        asking = asyncio.create_task(http.post(PATH, json=HI).__aenter__())
        await gateway.opened.wait()
        draining = asyncio.create_task(drain_app(app, 10))
        await asyncio.sleep(0)
        assert (await status_of(http, "/healthz"), await status_of(http, "/readyz")) == (200, 503)
        async with http.post(PATH, json=HI) as refused:
            assert (refused.status, refused.headers["connection"]) == (503, "close")
            assert (await refused.json())["error"]["code"] == "shutting_down"
        assert not draining.done()
        answer.set()
        await draining
        response = await asking
        assert response.status == 200
        assert (await response.json())["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.parametrize("begin", [[], [batch(started(), begun(), said("x"))]])
@pytest.mark.parametrize("stream", [True, False])
async def test_what_does_not_end_in_time_ends_with_a_typed_error(begin: list[object], stream: bool) -> None:
    gateway = FakeGateway(script=[*begin, asyncio.Event()])  # type: ignore[list-item] # batches, as in every script
    async with running(gateway) as (app, http):
        asking = asyncio.create_task(http.post(PATH, json=HI | {"stream": stream}).__aenter__())
        await gateway.opened.wait()
        if begin and stream:
            await asking
        await drain_app(app, 0.01)
        assert gateway.cancelled
        response = await asking
        text = await response.text()
    assert response.status == (200 if begin and stream else 503)
    assert json.loads(text.strip().split("\n\n")[-1].removeprefix("data: "))["error"]["code"] == "shutting_down"
    assert "[DONE]" not in text


async def test_an_idle_bridge_drains_at_once() -> None:
    async with running(FakeGateway()) as (app, _):
        await drain_app(app, 10)


async def test_nothing_keeps_a_stopping_server_but_running_calls() -> None:
    async with running(FakeGateway(script=greeting())) as (_, http):
        async with http.post(PATH, json=HI) as response:
            assert response.status == 200
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 1


@pytest.mark.parametrize("levels", [0, 501])
def test_a_limit_that_cannot_be_kept_is_refused(levels: int) -> None:
    with pytest.raises(ValueError, match="max_nesting"):
        BridgeSettings(max_nesting=levels)
