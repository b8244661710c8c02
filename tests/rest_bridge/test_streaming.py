"""Streams on the wire: when headers go out, how failures end them, and what a client's leaving does."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest

from fake_gateway import FakeGateway, batch, begun, done, failed, finished, greeting, said, started, stopped
from trunkline.errors import OverloadedError, ProviderBadAnswerError
from trunkline.v1 import RoutingReport
from trunkline_bridge.settings import BridgeSettings

PATH = "/v1/chat/completions"
HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ASK = HI | {"stream": True}
SOON_S = 2

Serve = Callable[[FakeGateway, BridgeSettings], AbstractAsyncContextManager[str]]


async def test_a_stream_has_the_headers_that_proxies_need(http: aiohttp.ClientSession) -> None:
    async with http.post(PATH, json=ASK, headers={"x-request-id": "mine-1"}) as response:
        assert response.status == 200
        assert {
            name: response.headers[name]
            for name in ("content-type", "cache-control", "x-accel-buffering", "x-request-id")
        } == {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
            "x-request-id": "mine-1",
        }
        assert (await response.text()).endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("form", ["in_process"], indirect=True)  # a gRPC server may join batches that wait
async def test_a_batch_is_written_at_once(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    gateway.script = [
        batch(started(), begun(), said("a"), said("b")),
        batch(said("c"), said("d"), said("e")),
        batch(done(), stopped(), finished()),
    ]
    async with http.post(PATH, json=ASK) as response:
        counts = []
        pending = b""
        async for data, ends in response.content.iter_chunks():
            pending += data
            if ends:
                counts.append(pending.count(b"data: "))
                pending = b""
    assert counts == [3, 3, 2]


@pytest.mark.parametrize("script", [[], [batch(failed(OverloadedError("x")))], [batch(started())]])
async def test_a_failure_before_the_first_words_is_an_http_error(
    http: aiohttp.ClientSession, gateway: FakeGateway, script: list[Any]
) -> None:
    gateway.script = [*script, OverloadedError("too much", retry_after_ms=2500)]
    async with http.post(PATH, json=ASK) as response:
        assert (response.status, response.headers["retry-after"]) == (503, "3")
        assert (await response.json())["error"]["code"] == "server_is_overloaded"


async def test_a_failure_inside_a_stream_ends_it_without_done(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    error = ProviderBadAnswerError("cut off")
    error.report = RoutingReport(target="fake/fake-1")
    gateway.script = [batch(started(), begun(), said("x")), batch(failed(error)), error]
    async with http.post(PATH, json=ASK) as response:
        assert response.status == 200
        *_, last, end = (await response.text()).split("\n\n")
    assert end == ""
    found = json.loads(last.removeprefix("data: "))
    assert found["error"] == {
        "message": "cut off",
        "type": "server_error",
        "param": None,
        "code": "provider_bad_answer",
    }


async def test_a_stream_that_just_stops_is_a_failure(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    gateway.script = [batch(started(), begun(), said("x"))]
    async with http.post(PATH, json=ASK) as response:
        text = await response.text()
    assert "[DONE]" not in text
    assert '"error":{' in text


async def test_a_defect_inside_a_stream_tells_nothing_of_itself(
    http: aiohttp.ClientSession, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.script = [batch(started(), begun(), said("x")), ZeroDivisionError("c4n4ry")]
    async with http.post(PATH, json=ASK) as response:
        text = await response.text()
    assert '"error":{' in text
    assert "[DONE]" not in text
    assert "c4n4ry" not in text


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_before_the_first_words_ends_the_call(
    http: aiohttp.ClientSession, gateway: FakeGateway, stream: bool
) -> None:
    gateway.script = [asyncio.Event(), *greeting()]
    asking = asyncio.create_task(http.post(PATH, json=HI | {"stream": stream}).__aenter__())
    await gateway.opened.wait()
    asking.cancel()
    await asyncio.wait_for(gateway.closed.wait(), SOON_S)
    assert gateway.cancelled


async def test_a_client_that_leaves_in_the_middle_ends_the_call(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    gateway.script = [batch(started(), begun(), said("x")), asyncio.Event()]
    async with http.post(PATH, json=ASK) as response:
        await response.content.readuntil(b"\n\n")
        assert not gateway.closed.is_set()
        response.close()
    await asyncio.wait_for(gateway.closed.wait(), SOON_S)
    assert gateway.cancelled


async def test_a_client_that_leaves_while_it_is_written_to_ends_the_call(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    piece = batch(said("x" * 100_000))
    gateway.script = [batch(started(), begun()), *[piece] * 1000]
    async with http.post(PATH, json=ASK) as response:
        await response.content.readuntil(b"\n\n")
        response.close()
    await asyncio.wait_for(gateway.closed.wait(), SOON_S)
    assert gateway.cancelled


async def test_nothing_is_asked_for_before_the_client_took_the_last(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    given = []

    class Counting(list[Any]):
        def __iter__(self) -> Any:  # noqa: ANN401 the steps of a script
            for step in super().__iter__():
                given.append(step)
                yield step

    gateway.script = Counting([batch(started(), begun()), *[batch(said("x" * 100_000))] * 1000])
    async with http.post(PATH, json=ASK) as response:
        await response.content.readuntil(b"\n\n")
        before = -1
        while before != len(given):
            before = len(given)
            await asyncio.sleep(0.05)
        assert len(given) < 500
        response.close()
    await asyncio.wait_for(gateway.closed.wait(), SOON_S)


async def test_a_client_that_does_not_read_is_cut_off(serve: Serve) -> None:
    gateway = FakeGateway(script=[batch(started(), begun()), *[batch(said("x" * 100_000))] * 1000])
    async with (
        serve(gateway, BridgeSettings(write_stall_s=0.1)) as url,
        aiohttp.ClientSession(url) as http,
        http.post(PATH, json=ASK) as response,
    ):
        began = time.monotonic()
        await asyncio.wait_for(gateway.closed.wait(), SOON_S)
        assert gateway.cancelled
        assert time.monotonic() - began >= 0.1
        response.close()


async def test_a_slow_provider_is_no_stall(serve: Serve) -> None:
    wait = asyncio.Event()
    gateway = FakeGateway(script=[batch(started(), begun(), said("x")), wait, batch(done(), stopped(), finished())])
    async with (
        serve(gateway, BridgeSettings(write_stall_s=0.05)) as url,
        aiohttp.ClientSession(url) as http,
        http.post(PATH, json=ASK) as response,
    ):
        asyncio.get_running_loop().call_later(0.15, wait.set)
        assert (await response.text()).endswith("data: [DONE]\n\n")
