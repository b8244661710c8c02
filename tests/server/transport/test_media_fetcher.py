"""Images and files are fetched within limits, and whoever names an address learns nothing of the operator's network."""

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from trunkline.errors import InvalidRequestError
from trunkline.v1 import Media
from trunkline_server.config.settings import MediaSettings
from trunkline_server.transport.media_fetcher import MediaFetcher
from trunkline_server.transport.public_addresses import PublicResolver

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
LOOPBACK = ("127.0.0.1/32",)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(body: bytes, head: str = "") -> Serve:
    """A server that answers each call so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = head or f"200 OK\r\ncontent-type: image/png\r\ncontent-length: {len(body)}"
        writer.write(f"HTTP/1.1 {text}\r\n\r\n".encode() + body)
        await writer.drain()

    return serve


@asynccontextmanager
async def serving(serve: Serve, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """The port of a server; leaving waits for what it still does."""
    calls: set[asyncio.Task[object]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        calls.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, host, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*calls)


async def fetched(
    serve: Serve,
    *,
    path: str = "/a.png",
    allowed: tuple[str, ...] = LOOPBACK,
    max_bytes: int = 1000,
    timeout_s: float = 5,
) -> Media | str:
    """What comes of fetching from a server on loopback: the media, or why not."""
    settings = MediaSettings(
        fetch=True, allow_http=True, allowed_networks=allowed, max_bytes=max_bytes, timeout_s=timeout_s
    )
    async with serving(serve) as port, MediaFetcher(settings) as fetcher:
        return await result_of(fetcher, f"http://127.0.0.1:{port}{path}")


async def result_of(fetcher: MediaFetcher, address: str) -> Media | str:
    try:
        return await fetcher.fetch(address, "f")
    except InvalidRequestError as error:
        return error.message.removeprefix("f: ")


async def test_bytes_tell_their_type_themselves() -> None:
    head = f"200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(PNG)}"
    assert await fetched(says(PNG, head)) == Media(data=PNG, mime_type="image/png")


@pytest.mark.parametrize(
    ("body", "content_type", "found"),
    [
        (b"%PDF-1.7 x", "application/octet-stream", "application/pdf"),
        (b"\xff\xd8\xff\xe0", "image/png", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBP", "", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", "", "audio/wav"),
        (b"words", "text/plain; charset=utf-8", "text/plain"),
        (b"\xff\xfe", "text/plain", ""),
        (b"a\0b", "text/plain", ""),
        (b"<html>", "text/html", ""),
        (b'{"token": 1}', "application/json", ""),
        (b"", "image/png", ""),
    ],
)
async def test_only_media_are_given_on(body: bytes, content_type: str, found: str) -> None:
    head = f"200 OK\r\ncontent-type: {content_type or 'image/webp'}\r\ncontent-length: {len(body)}"
    refusal = "holds neither an image, a PDF, sound, a video nor plain text"
    assert await fetched(says(body, head)) == (Media(data=body, mime_type=found) if found else refusal)


@pytest.mark.parametrize("head", ["", "200 OK\r\nconnection: close"], ids=["told", "untold"])
async def test_what_is_too_large_is_left(head: str) -> None:
    assert await fetched(says(PNG + b"x" * 2000, head)) == "holds more than the 1000 bytes that are fetched"


async def test_what_is_packed_is_not_unpacked() -> None:
    head = "200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\nconnection: close"
    assert await fetched(says(b"\x1f\x8b\x08\0\xff", head)) == (
        "holds neither an image, a PDF, sound, a video nor plain text"
    )


async def test_an_answer_that_breaks_off_is_none() -> None:
    assert await fetched(says(PNG[:20], "200 OK\r\ncontent-length: 67")) == "cannot be fetched"


async def test_a_server_that_keeps_silent_is_left() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    assert await fetched(serve, timeout_s=0.2) == "did not give its content within 0.2 s"


async def test_a_failure_tells_its_status_alone() -> None:
    assert await fetched(says(b"internal secrets", "404 X\r\ncontent-length: 16")) == "was answered with status 404"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://localhost/",
    ],
)
async def test_the_operators_own_network_is_not_looked_at(address: str) -> None:
    async with MediaFetcher(MediaSettings(fetch=True, allow_http=True)) as fetcher:
        assert await result_of(fetcher, address) in ("does not lead to a public address", "cannot be fetched")


async def test_a_redirect_into_the_operators_network_is_not_followed() -> None:
    asked = []

    async def inside(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))

    async with serving(inside, "127.0.0.2") as port:
        serve = says(b"", f"302 X\r\nlocation: http://127.0.0.2:{port}/a.png\r\ncontent-length: 0")
        assert await fetched(serve) == "does not lead to a public address"
    assert asked == []


async def test_redirects_are_followed_so_far() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        left = int(path.removeprefix("/"))
        head = f"302 X\r\nlocation: /{left - 1}\r\ncontent-length: 0" if left else "200 X\r\nconnection: close"
        writer.write(f"HTTP/1.1 {head}\r\n\r\n".encode() + (b"" if left else PNG))
        await writer.drain()

    assert await fetched(serve, path="/3") == Media(data=PNG, mime_type="image/png")
    assert await fetched(serve, path="/4") == "leads from one address to the next too often"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://example.com/a.png", "is not an https address"),
        ("file:///etc/passwd", "is not an https address"),
        ("gopher://example.com/", "is not an https address"),
        ("https:///a.png", "names no host, or credentials"),
        ("https://user:pass@example.com/a.png", "names no host, or credentials"),
    ],
)
async def test_addresses_of_other_kinds_are_refused(address: str, why: str) -> None:
    async with MediaFetcher(MediaSettings(fetch=True)) as fetcher:
        assert await result_of(fetcher, address) == why


async def test_a_name_that_changes_its_address_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was looked at is the one that is connected to: there is no second look-up."""
    looked_up = []
    resolve = PublicResolver.resolve

    async def counted(self: PublicResolver, host: str, port: int, family: socket.AddressFamily) -> object:
        looked_up.append(host)
        return await resolve(self, host, port, family)

    monkeypatch.setattr(PublicResolver, "resolve", counted)
    settings = MediaSettings(fetch=True, allow_http=True, allowed_networks=("127.0.0.0/8", "::1/128"))
    async with serving(says(PNG)) as port, MediaFetcher(settings) as fetcher:
        assert await result_of(fetcher, f"http://localhost:{port}/a.png") == Media(data=PNG, mime_type="image/png")
    assert looked_up == ["localhost"]


async def test_nothing_of_the_gateway_goes_along() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))

    await fetched(serve)
    names = {line.partition(b":")[0].lower() for line in seen[0].split(b"\r\n")[1:] if line}
    assert names == {b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"}
