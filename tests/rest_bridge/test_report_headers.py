"""What headers tell of a request: only what is true when they are sent."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from fake_gateway import FakeGateway, batch, begun, done, finished, greeting, report, said, started, stopped
from trunkline.errors import ProviderUnavailableError
from trunkline.v1 import Event, RoutingReport
from trunkline_bridge.report import header_text, report_headers
from trunkline_bridge.settings import BridgeSettings

PATH = "/v1/chat/completions"
HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}

Served = Callable[[FakeGateway, BridgeSettings], AbstractAsyncContextManager[str]]


def told(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("x-trunkline")}


@pytest.mark.parametrize(("path", "ask"), [(PATH, HI), ("/v1/completions", {"model": "m", "prompt": "hi"})])
async def test_a_whole_answer_tells_target_attempts_and_overhead(
    http: aiohttp.ClientSession, path: str, ask: dict[str, object]
) -> None:
    async with http.post(path, json=ask) as response:
        found = told(response)
        assert float(found.pop("x-trunkline-overhead-ms")) >= 0
        assert found == {"x-trunkline-target": "fake/fake-1", "x-trunkline-attempts": "1"}


def test_the_overhead_is_all_of_the_time_but_what_was_waited_for() -> None:
    of_the_core = RoutingReport(duration_us=200_900, overhead_us=700)
    assert report_headers(of_the_core)["x-trunkline-overhead-ms"] == "0.700"
    assert report_headers(of_the_core, took_s=0.2015)["x-trunkline-overhead-ms"] == "1.300"
    assert report_headers(of_the_core, took_s=0.1)["x-trunkline-overhead-ms"] == "0.000"


@pytest.mark.parametrize(("path", "ask"), [(PATH, HI), ("/v1/completions", {"model": "m", "prompt": "hi"})])
async def test_a_stream_tells_its_target_when_it_begins(
    http: aiohttp.ClientSession, path: str, ask: dict[str, object]
) -> None:
    async with http.post(path, json=ask | {"stream": True}) as response:
        assert told(response) == {"x-trunkline-target": "fake/fake-1"}
        await response.read()


async def test_a_stream_whose_headers_went_out_early_tells_nothing(serve: Served) -> None:
    chosen = asyncio.Event()
    gateway = FakeGateway(script=[chosen, *greeting()])
    async with (
        serve(gateway, BridgeSettings(early_headers_s=0.02)) as url,
        aiohttp.ClientSession(url) as http,
        http.post(PATH, json=HI | {"stream": True}) as response,
    ):
        assert told(response) == {}
        chosen.set()
        assert (await response.text()).endswith("data: [DONE]\n\n")


async def test_an_answer_that_was_gone_on_with_says_so_at_its_end(
    http: aiohttp.ClientSession, gateway: FakeGateway
) -> None:
    resumed, end = Event(), finished()
    resumed.resumed.target = end.finished.report.target = "fake/fake-2"
    end.finished.report.resumed = True
    gateway.script = [batch(started(), begun(), said("x")), batch(resumed, said("y")), batch(done(), stopped(), end)]
    async with http.post(PATH, json=HI | {"stream": True}) as response:
        assert told(response) == {"x-trunkline-target": "fake/fake-1"}  # it was when that was sent
        *_, last, _, _ = (await response.text()).split("\n\n")
    report = json.loads(last.removeprefix("data: "))["trunkline"]
    assert (report["resumed"], report["target"]) == (True, "fake/fake-2")
    async with http.post(PATH, json=HI) as response:
        assert told(response)["x-trunkline-target"] == "fake/fake-2"
        assert (await response.json())["trunkline"]["resumed"] is True


async def test_the_target_is_the_one_whose_words_begin(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    second = started()
    second.started.target = "fake/fake-2"
    words = batch(begun(), said("x"), done(), stopped(), finished())
    gateway.script = [batch(started()), batch(second), words]
    async with http.post(PATH, json=HI | {"stream": True}) as response:
        assert told(response) == {"x-trunkline-target": "fake/fake-2"}
        await response.read()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_tells_how_often_it_was_tried(
    http: aiohttp.ClientSession, gateway: FakeGateway, stream: bool
) -> None:
    error = ProviderUnavailableError("down")
    error.report = report()
    error.report.target = ""
    gateway.script = [error]
    async with http.post(PATH, json=HI | {"stream": stream}) as response:
        assert response.status == 502
        assert told(response) == {"x-trunkline-attempts": "1", "x-trunkline-overhead-ms": "0.500"}


def test_no_name_can_break_a_header() -> None:
    assert header_text("openai/gpt-5.5:a b") == "openai/gpt-5.5:a b"
    assert header_text("a/é\r\nset-cookie: x") == "a/%C3%A9%0D%0Aset-cookie%3A%20x"


def test_long_overheads_stay_plain_numbers() -> None:
    assert report_headers(RoutingReport(overhead_us=123_456_789_012))["x-trunkline-overhead-ms"] == "123456789.012"
