"""Large whole answers, and clients that take their time or do not read at all."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from fake_gateway import FakeGateway, greeting
from trunkline_bridge.settings import BridgeSettings
from trunkline_bridge.whole_answer import SMALL_BYTES, STEP_BYTES

PATH = "/v1/chat/completions"
HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
LARGE = 24 * 1024 * 1024
"""More than the buffers between two sockets hold."""

Served = Callable[[FakeGateway, BridgeSettings], AbstractAsyncContextManager[str]]


@pytest.mark.parametrize("size", [1, SMALL_BYTES, STEP_BYTES, 3 * STEP_BYTES + 1])
async def test_an_answer_of_any_size_says_the_same(
    http: aiohttp.ClientSession, gateway: FakeGateway, size: int
) -> None:
    gateway.script = greeting("x" * size)
    async with http.post(PATH, json=HI, headers={"x-request-id": "mine-1"}) as response:
        body = await response.json()
        assert body["choices"][0]["message"]["content"] == "x" * size
        assert {name: response.headers[name] for name in ("content-type", "x-request-id", "x-trunkline-target")} == {
            "content-type": "application/json",
            "x-request-id": "mine-1",
            "x-trunkline-target": "fake/fake-1",
        }
    async with http.post(PATH, json=HI) as response:  # on the same connection
        assert response.status == 200


async def test_a_client_that_does_not_read_is_cut_off(serve: Served) -> None:
    gateway = FakeGateway(script=greeting("x" * LARGE))
    async with (
        serve(gateway, BridgeSettings(write_stall_s=0.1)) as url,
        aiohttp.ClientSession(url) as http,
        http.post(PATH, json=HI) as response,
    ):
        assert response.status == 200
        await asyncio.sleep(0.5)
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_client_that_leaves_is_no_failure(serve: Served, caplog: pytest.LogCaptureFixture) -> None:
    gateway = FakeGateway(script=greeting("x" * LARGE))
    async with serve(gateway, BridgeSettings()) as url, aiohttp.ClientSession(url) as http:
        async with http.post(PATH, json=HI) as response:
            assert response.status == 200
            response.close()
        async with http.get("/healthz") as response:
            assert response.status == 200
        await asyncio.sleep(0.05)
    assert caplog.text == ""


async def test_a_client_that_reads_slowly_gets_it_all(serve: Served) -> None:
    gateway = FakeGateway(script=greeting("x" * LARGE))
    async with (
        serve(gateway, BridgeSettings(write_stall_s=0.5)) as url,
        aiohttp.ClientSession(url) as http,
        http.post(PATH, json=HI) as response,
    ):
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size < LARGE // 2:
                await asyncio.sleep(0.005)
        assert size > LARGE
