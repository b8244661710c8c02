"""What a client sees of a stream that is silent: it lives, and what was sent stays true."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from fake_gateway import FakeGateway, batch, begun, done, failed, finished, greeting, said, started, stopped
from trunkline.errors import OverloadedError
from trunkline.v1 import Event, HeartbeatEvent
from trunkline_bridge.settings import BridgeSettings

PATH = "/v1/chat/completions"
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
HI = {"model": "m", "messages": MESSAGES}
ASK = HI | {"stream": True}
COMMENT = ": heartbeat"

Served = Callable[[FakeGateway, BridgeSettings], AbstractAsyncContextManager[str]]


@pytest.fixture
def settings() -> BridgeSettings:
    return BridgeSettings(early_headers_s=0.03, heartbeat_s=0.03)


def after(seconds: float, event: asyncio.Event) -> asyncio.Event:
    asyncio.get_running_loop().call_later(seconds, event.set)
    return event


def split(text: str) -> tuple[list[str], list[str]]:
    """The comments and the data of a stream."""
    *frames, end = text.split("\n\n")
    assert end == ""
    assert all(frame == COMMENT or frame.startswith("data: ") for frame in frames)
    return [frame for frame in frames if frame == COMMENT], [frame for frame in frames if frame != COMMENT]


async def test_a_silent_stream_has_its_headers_early_and_comments_until_it_speaks(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    chosen = asyncio.Event()
    gateway.script = [chosen, *greeting("one", " two")]
    async with http.post(PATH, json=ASK) as response:
        assert response.status == 200
        after(0.15, chosen)
        comments, data = split(await response.text())
    assert comments
    words = [json.loads(frame.removeprefix("data: "))["choices"][0]["delta"].get("content") for frame in data[:-1]]
    assert [word for word in words if word] == ["one", " two"]
    assert data[-1] == "data: [DONE]"


async def test_silence_between_words_is_filled_too(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    pause = asyncio.Event()
    gateway.script = [batch(started(), begun(), said("x")), pause, batch(said("y"), done(), stopped(), finished())]
    async with http.post(PATH, json=ASK) as response:
        after(0.1, pause)
        comments, data = split(await response.text())
    assert comments
    assert data[-1] == "data: [DONE]"


async def test_a_failure_after_early_headers_ends_the_stream_without_done(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    wait = asyncio.Event()
    error = OverloadedError("too much")
    gateway.script = [wait, batch(failed(error)), error]
    async with http.post(PATH, json=ASK) as response:
        assert response.status == 200
        wait.set()
        comments, data = split(await response.text())
    assert comments
    (told,) = data
    assert json.loads(told.removeprefix("data: "))["error"]["code"] == "server_is_overloaded"


async def test_a_failure_before_them_has_its_own_status(serve: Served) -> None:
    wait = asyncio.Event()
    gateway = FakeGateway(script=[wait, OverloadedError("too much")])
    async with serve(gateway, BridgeSettings(early_headers_s=5)) as url, aiohttp.ClientSession(url) as http:
        after(0.05, wait)
        async with http.post(PATH, json=ASK) as response:
            assert response.status == 503


async def test_heartbeats_of_the_core_are_not_passed_on(serve: Served) -> None:
    """They would send headers out before there is anything true to say in them."""
    beat = batch(Event(heartbeat=HeartbeatEvent(silent_ms=15_000)))
    gateway = FakeGateway(script=[beat, OverloadedError("too much")])
    async with serve(gateway, BridgeSettings()) as url, aiohttp.ClientSession(url) as http:
        async with http.post(PATH, json=ASK) as response:
            assert response.status == 503
        gateway.script = [beat, *greeting()[:1], beat, *greeting()[1:]]
        async with http.post(PATH, json=ASK) as response:
            assert response.headers["x-trunkline-target"] == "fake/fake-1"
            assert COMMENT not in await response.text()


async def test_a_client_that_leaves_between_signs_of_life_ends_the_call(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    gateway.script = [asyncio.Event()]
    async with http.post(PATH, json=ASK) as response:
        assert await response.content.readuntil(b"\n\n") == f"{COMMENT}\n\n".encode()
        response.close()
    await asyncio.wait_for(gateway.closed.wait(), 2)
    assert gateway.cancelled


async def test_a_client_that_does_not_read_is_cut_off_although_there_are_signs_of_life(serve: Served) -> None:
    gateway = FakeGateway(script=[batch(started(), begun()), *[batch(said("x" * 100_000))] * 1000])
    settings = BridgeSettings(write_stall_s=0.1, heartbeat_s=0.02, early_headers_s=0.02)
    async with (
        serve(gateway, settings) as url,
        aiohttp.ClientSession(url) as http,
        http.post(PATH, json=ASK) as response,
    ):
        await asyncio.wait_for(gateway.closed.wait(), 2)
        assert gateway.cancelled
        response.close()


async def test_an_impatient_sdk_reads_a_slow_stream_to_its_end(serve: Served) -> None:
    """The SDK gives up when nothing comes for its read timeout; it gets signs of life before that."""
    wait, pause = asyncio.Event(), asyncio.Event()
    begin, *rest = greeting("one", " two")
    gateway = FakeGateway(script=[wait, begin, pause, *rest])
    async with (
        serve(gateway, BridgeSettings()) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-test", timeout=0.6, max_retries=0) as client,
    ):
        after(1.0, wait)
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        text = ""
        async for chunk in stream:
            text += chunk.choices[0].delta.content or ""
            if text == "one" and not pause.is_set():
                after(1.0, pause)
        assert text == "one two"
        assert gateway.context.deadline is None  # a stream may take as long as it likes


async def test_an_impatient_client_gets_its_answer_or_its_failure_before_it_leaves(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    began = time.monotonic()
    async with http.post(PATH, json=HI, headers={"x-stainless-read-timeout": "10"}) as response:
        assert response.status == 200
    deadline = gateway.context.deadline
    assert deadline is not None
    assert began + 8.9 < deadline < time.monotonic() + 9.2  # gRPC rounds what remains up
    headers = {"x-stainless-read-timeout": "10", "x-request-timeout-ms": "2000"}
    async with http.post(PATH, json=HI, headers=headers) as response:
        assert response.status == 200
    assert gateway.context.deadline is not None
    assert gateway.context.deadline < time.monotonic() + 2.2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_patience_without_meaning_is_a_bad_request(
    http: aiohttp.ClientSession, gateway: FakeGateway, stream: bool
) -> None:
    async with http.post(PATH, json=HI | {"stream": stream}, headers={"x-stainless-read-timeout": "soon"}) as response:
        assert response.status == 400
        assert (await response.json())["error"]["param"] == "x-stainless-read-timeout"
    assert gateway.calls == []
