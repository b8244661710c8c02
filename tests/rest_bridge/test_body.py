"""How request bodies are read: within limits on size, time and sum, whatever they are wrapped in."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from unittest import mock

import aiohttp
import pytest
from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request

from fake_gateway import FakeGateway, greeting
from trunkline_bridge.body import BodyBudget, BodyLease, read_body
from trunkline_bridge.errors import SurfaceError
from trunkline_bridge.settings import BridgeSettings

LIMIT = 512 * 1024
PATH = "/v1/chat/completions"


@pytest.fixture
def settings() -> BridgeSettings:
    return BridgeSettings(max_request_bytes=LIMIT, max_bytes_in_flight=2 * LIMIT, body_timeout_s=0.1, retry_after_s=3)


def body(size: int = 0) -> bytes:
    """A chat request of that many bytes."""
    plain = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
    return plain + b" " * (size - len(plain))


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    """Without a Content-Length, in chunks."""
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


WRAPPINGS: dict[str, tuple[str | None, Callable[[bytes], bytes]]] = {
    "plain": (None, bytes),
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without its header": ("deflate", raw_deflate),
}


async def post(
    http: aiohttp.ClientSession, data: bytes | AsyncIterator[bytes], encoding: str | None
) -> tuple[int, str]:
    headers = {"content-type": "application/json"} | ({"content-encoding": encoding} if encoding else {})
    async with http.post(PATH, data=data, headers=headers) as response:
        found = await response.json()
        return response.status, found.get("error", {}).get("code", "")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("encoding", "wrap"), WRAPPINGS.values(), ids=WRAPPINGS)
async def test_a_body_may_have_as_many_bytes_as_allowed_and_no_more(
    http: aiohttp.ClientSession, encoding: str | None, wrap: Callable[[bytes], bytes], chunked: bool
) -> None:
    for size, expected in ((0, (200, "")), (LIMIT, (200, "")), (LIMIT + 1, (413, "request_too_large"))):
        data = wrap(body(size))
        assert await post(http, pieces(data) if chunked else data, encoding) == expected


@pytest.mark.parametrize(("encoding", "wrap"), list(WRAPPINGS.values())[2:], ids=list(WRAPPINGS)[2:])
async def test_a_bomb_is_not_inflated(
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    wrap: Callable[[bytes], bytes],
) -> None:
    held = []
    grow = BodyLease.grow

    def noted(lease: BodyLease, size: int) -> None:
        held.append(size)
        grow(lease, size)

    monkeypatch.setattr(BodyLease, "grow", noted)
    bomb = wrap(bytes(20 * LIMIT))
    assert len(bomb) < LIMIT / 50
    assert await post(http, bomb, encoding) == (413, "request_too_large")
    assert sum(held) <= LIMIT


BROKEN: dict[str, tuple[str, bytes]] = {
    "not gzip": ("gzip", body()),
    "not deflate": ("deflate", b"\xff" * 50),
    "cut off": ("gzip", gzip.compress(body())[:-9]),
    "nothing": ("gzip", b""),
    "something behind": ("gzip", gzip.compress(body()) + b"more"),
    "damaged": ("gzip", gzip.compress(body())[:-8] + bytes(8)),
}


@pytest.mark.parametrize(("encoding", "data"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_encoding_is_refused(http: aiohttp.ClientSession, encoding: str, data: bytes) -> None:
    assert await post(http, data, encoding) == (400, "malformed_body")


async def test_an_unknown_encoding_is_refused_with_those_that_are_known(http: aiohttp.ClientSession) -> None:
    async with http.post(PATH, data=b"x", headers={"content-encoding": "br"}) as response:
        assert (response.status, response.headers["accept-encoding"]) == (415, "gzip, deflate")
        assert (await response.json())["error"]["code"] == "unsupported_content_encoding"


async def test_bodies_held_are_bounded_over_all_requests(http: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    answer = asyncio.Event()
    gateway.script = [answer, *greeting()]
    size = LIMIT * 3 // 4
    running = [asyncio.create_task(post(http, body(size), None)) for _ in range(2)]
    for _ in running:
        await gateway.arrivals.acquire()
    async with http.post(PATH, data=body(size)) as response:
        assert (response.status, response.headers["retry-after"]) == (503, "3")
        assert (await response.json())["error"]["code"] == "server_is_overloaded"
    answer.set()
    assert await asyncio.gather(*running) == [(200, ""), (200, "")]
    assert await post(http, body(size), None) == (200, "")


async def test_a_body_that_does_not_come_is_not_waited_for(base_url: str) -> None:
    host, port = base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{".encode())
    head, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
    assert head == b"HTTP/1.1 408 Request Timeout"
    assert b"connection: close" in rest.lower()
    writer.close()
    await writer.wait_closed()


# What aiohttp's parser finds before the call began is a 400; later it does not tell, and the time limit ends it.
@pytest.mark.parametrize(("pause_s", "status"), [(0, b"400"), (0.02, b"408")])
async def test_a_badly_framed_body_is_refused(base_url: str, pause_s: float, status: bytes) -> None:
    host, port = base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    await asyncio.sleep(pause_s)
    writer.write(b"2\r\n{}zz\r\n")
    assert (await reader.readline()).split()[1] == status
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_breaks_off_is_refused(settings: BridgeSettings) -> None:
    content = StreamReader(mock.Mock(), 2**16, loop=asyncio.get_running_loop())
    content.feed_data(b"{")
    content.set_exception(web.RequestPayloadError("a parser's complaint"))
    request = make_mocked_request("POST", PATH, payload=content)
    with BodyBudget(LIMIT).lease() as lease, pytest.raises(SurfaceError) as caught:
        await read_body(request, lease, settings)
    assert (caught.value.answer.status, caught.value.answer.code) == (400, "malformed_body")
