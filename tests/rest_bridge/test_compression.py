"""Answers that are compressed for clients that take it."""

import gzip
import json

import aiohttp
import pytest
from aiohttp import web

from fake_gateway import FakeGateway, greeting
from trunkline.v1 import Model
from trunkline_bridge import compression
from trunkline_bridge.app import create_app, create_runner
from trunkline_bridge.settings import BridgeSettings

HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}

ACCEPTED = {
    "gzip": True,
    "deflate, gzip;q=0.5": True,
    "GZIP": True,
    "": False,
    "identity": False,
    "gzip;q=0": False,
    "gzip; q=0.000": False,
    "br": False,
}


@pytest.mark.parametrize("accepted", ACCEPTED)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("on", [False, True])
async def test_whole_answers_are_compressed_if_both_sides_want_it_and_streams_never(
    on: bool, stream: bool, accepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "MIN_BYTES", 10)
    runner = create_runner(create_app(FakeGateway(script=greeting()), BridgeSettings(compress=on)))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/chat/completions"
    headers = {"accept-encoding": accepted}
    try:
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.post(url, json=HI | {"stream": stream}, headers=headers) as response,
        ):
            data = await response.read()
    finally:
        await runner.cleanup()
    compressed = on and not stream and ACCEPTED[accepted]
    assert response.headers.get("content-encoding") == ("gzip" if compressed else None)
    assert ("accept-encoding" in response.headers.get("vary", "").lower()) == (on and not stream)
    if stream:
        assert data.endswith(b"data: [DONE]\n\n")
    else:
        assert json.loads(gzip.decompress(data) if compressed else data)["choices"]


async def test_what_a_scraper_reads_is_compressed_too() -> None:
    models = [Model(id=f"model-{number}") for number in range(100)]
    runner = create_runner(create_app(FakeGateway(models=models), BridgeSettings(compress=True)))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{runner.addresses[0][1]}/v1/models") as response,
        ):
            assert response.headers["content-encoding"] == "gzip"
            assert len((await response.json())["data"]) == 100
    finally:
        await runner.cleanup()
