"""What the pool does on real sockets."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from trunkline.errors import ProviderBadAnswerError, ProviderSilentError, ProviderUnavailableError
from trunkline.secret import Secret
from trunkline_server.providers.kinds import ProviderKind
from trunkline_server.providers.target import Provider
from trunkline_server.transport.exchange import Exchange
from trunkline_server.transport.http import HttpTransport
from trunkline_server.transport.http_exchange import MAX_HEAD_BYTES, MAX_HELD_BYTES
from trunkline_server.values.wire import WireRequest
from upstream import Answer, Script, Upstream, completion, hangs, in_turn, running_upstream

KIND = ProviderKind(name="openai_compatible", dialect="openai_chat")
REQUEST = WireRequest(path="/chat/completions", body=b"{}", stream=False)


def provider(base_url: str) -> Provider:
    return Provider(name="p", kind=KIND, base_url=base_url, api_keys=(Secret("sk-1"),), headers={"X-Org": "o"})


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    async with HttpTransport(connect_timeout_s=1) as transport:
        yield transport


async def body_of(exchange: Exchange) -> bytes:
    pieces = []
    try:
        while piece := await exchange.read():
            pieces.append(piece)
    finally:
        exchange.close()
    return b"".join(pieces)


@asynccontextmanager
async def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Where a server listens that does this with each connection, then reads until the other side closes it."""
    connections: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.ensure_future(handle(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(2):
            await asyncio.gather(*connections)


async def whole(answer: Answer) -> None:
    await answer.json(completion("hi"))


async def test_credentials_and_headers_go_to_the_provider_and_nothing_else_does(transport: HttpTransport) -> None:
    async with running_upstream(whole) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {"traceparent": "t"})
        await body_of(exchange)
        sent = upstream.calls[0].headers
        assert upstream.calls[0].path == "/v1/chat/completions"
        assert {name: sent[name] for name in sent if name not in ("host", "content-length", "accept")} == {
            "authorization": "Bearer sk-1",
            "x-org": "o",
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": "trunkline",
            "traceparent": "t",
        }


async def test_connections_are_used_again(transport: HttpTransport) -> None:
    async with running_upstream(whole) as upstream:
        for _ in range(5):
            await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))
        assert upstream.open_connections == 1


async def test_a_large_body_arrives_whole(transport: HttpTransport) -> None:
    body = b'{"x":"' + b"a" * 3_000_000 + b'"}'
    async with running_upstream(whole) as upstream:
        request = WireRequest(path="/chat/completions", body=body, stream=False)
        await body_of(await transport.open(provider(upstream.base_url), request, {}))
        assert upstream.calls[0].body == body


def hangs_up(answer: Answer) -> None:
    answer.hang_up()


def resets(answer: Answer) -> None:
    answer.reset()


END = pytest.mark.parametrize("end", [hangs_up, resets])
End = Callable[[Answer], None]


def dying(end: End, *, after: bytes = b"") -> Script:
    """Says so much of an answer, then closes the connection."""

    async def script(answer: Answer) -> None:
        if after:
            await answer.send(after)
            await asyncio.sleep(0.02)
        end(answer)

    return script


@END
async def test_a_stale_connection_gets_one_free_retry(transport: HttpTransport, end: End) -> None:
    async with running_upstream(in_turn(whole, dying(end), whole)) as upstream:
        first = await transport.open(provider(upstream.base_url), REQUEST, {})
        await body_of(first)
        second = await transport.open(provider(upstream.base_url), REQUEST, {})
        await body_of(second)
        assert (first.resent, second.resent) == (False, True)
        assert len(upstream.calls) == 3


@END
async def test_the_free_retry_is_a_single_one(transport: HttpTransport, end: End) -> None:
    async with running_upstream(in_turn(whole, dying(end))) as upstream:
        await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))
        with pytest.raises(ProviderUnavailableError, match="provider p cannot be reached: it closed the connection"):
            await transport.open(provider(upstream.base_url), REQUEST, {})
        assert len(upstream.calls) == 3


@END
async def test_a_new_connection_is_not_stale(transport: HttpTransport, end: End) -> None:
    async with running_upstream(dying(end)) as upstream:
        with pytest.raises(ProviderUnavailableError, match="provider p cannot be reached: it closed the connection"):
            await transport.open(provider(upstream.base_url), REQUEST, {})
        assert len(upstream.calls) == 1


@END
async def test_a_connection_that_was_seen_to_end_leaves_no_free_retry_behind(
    transport: HttpTransport, end: End
) -> None:
    async def answers_and_leaves(answer: Answer) -> None:
        await whole(answer)
        await asyncio.sleep(0.02)
        end(answer)

    async with running_upstream(in_turn(answers_and_leaves, dying(end))) as upstream:
        await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))
        await upstream.wait_until_idle()
        await asyncio.sleep(0.01)
        with pytest.raises(ProviderUnavailableError):
            await transport.open(provider(upstream.base_url), REQUEST, {})
        assert len(upstream.calls) == 2


async def test_a_request_whose_answer_has_begun_is_not_sent_again(transport: HttpTransport) -> None:
    half = dying(hangs_up, after=b"HTTP/1.1 200 OK\r\ncontent-ty")
    async with running_upstream(in_turn(whole, half)) as upstream:
        await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))
        with pytest.raises(ProviderUnavailableError):
            await transport.open(provider(upstream.base_url), REQUEST, {})
        assert len(upstream.calls) == 2


HEADS: dict[str, bytes] = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-ty",
    "no head at all": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "a head too long": b"HTTP/1.1 200 OK\r\nx: " + b"y" * (MAX_HEAD_BYTES + 10_000) + b"\r\n\r\n",
}


@END
@pytest.mark.parametrize("after", HEADS.values(), ids=HEADS)
async def test_a_head_that_never_ends_well_is_an_unreachable_provider(
    transport: HttpTransport, end: End, after: bytes
) -> None:
    async with running_upstream(dying(end, after=after)) as upstream:
        with pytest.raises(ProviderUnavailableError, match="provider p cannot be reached"):
            await transport.open(provider(upstream.base_url), REQUEST, {})
        await upstream.wait_until_idle()


async def test_long_headers_are_taken(transport: HttpTransport) -> None:
    async def script(answer: Answer) -> None:
        await answer.json(completion("hi"), headers={"content-security-policy": "x" * (MAX_HEAD_BYTES - 100)})

    async with running_upstream(script) as upstream:
        assert await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))


@END
async def test_a_body_without_a_length_ends_with_its_connection(transport: HttpTransport, end: End) -> None:
    """Which says nothing of whether it is whole: that is for the dialect to see."""

    async def script(answer: Answer) -> None:
        await answer.head(200, {"content-type": "text/event-stream"})
        await answer.send(b"data: x\n\n")
        await asyncio.sleep(0.02)
        end(answer)

    async with running_upstream(script) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        assert await body_of(exchange) == b"data: x\n\n"


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"])
async def test_a_provider_that_closes_its_half_is_not_waited_for(transport: HttpTransport, said: bytes) -> None:
    async def script(answer: Answer) -> None:
        await answer.send(said)
        answer.half_close()
        await asyncio.Event().wait()

    async with running_upstream(script) as upstream:
        with pytest.raises(ProviderBadAnswerError if said else ProviderUnavailableError):
            await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))
        await upstream.wait_until_idle()


async def test_an_answer_that_comes_before_the_request_was_taken_is_read(transport: HttpTransport) -> None:
    """As from a provider that refuses a body for its size without reading it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")

    async with raw_server(serve) as address:
        request = WireRequest(path="/chat/completions", body=b"x" * 8_000_000, stream=False)
        exchange = await transport.open(provider(f"http://{address}"), request, {})
        assert (exchange.status, await body_of(exchange)) == (413, b"{}")


async def test_the_connect_limit_holds_for_the_tls_handshake() -> None:
    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    async with raw_server(says_nothing) as address, HttpTransport(connect_timeout_s=0.1) as transport:
        with pytest.raises(ProviderUnavailableError, match="no connection within the time limit"):
            await asyncio.wait_for(transport.open(provider(f"https://{address}"), REQUEST, {}), 2)


async def test_the_connect_limit_holds_for_the_look_up_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> list[object]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", never)
    async with HttpTransport(connect_timeout_s=0.1) as transport:
        with pytest.raises(ProviderUnavailableError, match="no connection within the time limit"):
            await asyncio.wait_for(transport.open(provider("http://provider.test/v1"), REQUEST, {}), 2)


async def test_the_connect_limit_does_not_count_while_an_answer_is_waited_for() -> None:
    async def slow(answer: Answer) -> None:
        await asyncio.sleep(0.15)
        await whole(answer)

    async with running_upstream(slow) as upstream, HttpTransport(connect_timeout_s=0.05) as transport:
        for _ in range(2):
            assert await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))


async def test_cookies_of_a_provider_are_not_kept(transport: HttpTransport) -> None:
    async def script(answer: Answer) -> None:
        await answer.json(completion("hi"), headers={"set-cookie": "vendor=1; Path=/"})

    async with running_upstream(script) as upstream:
        for _ in range(2):
            await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))
        assert not any("cookie" in call.headers for call in upstream.calls)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_neither_prompt_nor_key_follow_a_redirect(transport: HttpTransport, status: int) -> None:
    async with running_upstream(whole) as elsewhere:

        async def redirects(answer: Answer) -> None:
            await answer.json({}, status, {"location": f"{elsewhere.base_url}/chat/completions"})

        async with running_upstream(redirects) as upstream:
            exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
            assert exchange.status == status
            exchange.close()
        assert elsewhere.calls == []


async def test_a_refused_connection_is_told_without_the_address(transport: HttpTransport) -> None:
    with pytest.raises(ProviderUnavailableError) as caught:
        await transport.open(provider("http://127.0.0.1:9/v1"), REQUEST, {})
    assert caught.value.message == "provider p cannot be reached: the connection was refused"


async def test_a_compressed_answer_is_understood(transport: HttpTransport) -> None:
    async def compressed(answer: Answer) -> None:
        await answer.json(gzip.compress(b'{"a":1}'), headers={"content-encoding": "gzip"})

    async with running_upstream(compressed) as upstream:
        assert await body_of(await transport.open(provider(upstream.base_url), REQUEST, {})) == b'{"a":1}'


async def test_a_compressed_stream_is_given_as_it_comes(transport: HttpTransport) -> None:
    taken = asyncio.Event()

    async def compressed(answer: Answer) -> None:
        deflate = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
        await answer.start_stream({"content-encoding": "gzip"})
        for piece in (b"data: one\n\n", b"data: two\n\n"):
            await answer.piece(deflate.compress(piece) + deflate.flush(zlib.Z_SYNC_FLUSH))
            await taken.wait()
        await answer.piece(deflate.flush())
        await answer.end_stream()

    async with running_upstream(compressed) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        assert await exchange.read() == b"data: one\n\n"
        taken.set()
        assert await body_of(exchange) == b"data: two\n\n"


async def test_a_compression_that_nobody_asked_for_and_nobody_knows_is_an_unreadable_answer(
    transport: HttpTransport,
) -> None:
    async def compressed(answer: Answer) -> None:
        await answer.json(b"\x0b\x02\x80{}\x03", headers={"content-encoding": "br"})

    async with running_upstream(compressed) as upstream:
        with pytest.raises((ProviderUnavailableError, ProviderBadAnswerError)):
            await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))


@pytest.mark.parametrize("how", ["short length", "chunks cut", "not gzip"])
async def test_a_broken_answer_is_a_bad_answer(transport: HttpTransport, how: str) -> None:
    async def broken(answer: Answer) -> None:
        if how == "short length":
            await answer.head(200, {"content-length": "100"})
            await answer.send(b"{")
        elif how == "chunks cut":
            await answer.start_stream()
            await answer.piece(b"data: x\n\n")
        else:
            await answer.json(b"plain", headers={"content-encoding": "gzip"})
        await asyncio.sleep(0.02)
        answer.reset()

    async with running_upstream(broken) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        with pytest.raises(ProviderBadAnswerError):
            await body_of(exchange)


async def test_fail_ends_a_pending_read_and_closes_the_socket(transport: HttpTransport) -> None:
    async def stalls(answer: Answer) -> None:
        await answer.start_stream()
        await asyncio.Event().wait()

    async with running_upstream(stalls) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        reading = asyncio.ensure_future(exchange.read())
        await asyncio.sleep(0.01)
        exchange.fail(ProviderSilentError("too slow"))
        with pytest.raises(ProviderSilentError, match="too slow"):
            await reading
        await upstream.wait_until_idle()
        with pytest.raises(ProviderSilentError):
            await exchange.read()


async def test_close_before_the_end_closes_the_socket(transport: HttpTransport) -> None:
    async def endless(answer: Answer) -> None:
        await answer.start_stream()
        while True:
            await answer.piece(b"data: x\n\n")
            await asyncio.sleep(0.005)

    async with running_upstream(endless) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        await exchange.read()
        exchange.close()
        await upstream.wait_until_idle()


async def test_a_lingering_connection_is_used_again_once_its_answer_ends(transport: HttpTransport) -> None:
    async def ends_late(answer: Answer) -> None:
        await answer.start_stream()
        await answer.piece(b"data: [DONE]\n\n")
        await asyncio.sleep(0.03)
        await answer.end_stream()

    async with running_upstream(ends_late) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        await exchange.read()
        exchange.close(linger_s=1)
        await asyncio.sleep(0.06)
        second = await transport.open(provider(upstream.base_url), REQUEST, {})
        assert upstream.open_connections == 1
        second.close()


async def test_a_lingering_connection_is_closed_in_the_end(transport: HttpTransport) -> None:
    async def never_ends(answer: Answer) -> None:
        await answer.start_stream()
        await answer.piece(b"data: [DONE]\n\n")
        await asyncio.Event().wait()

    async with running_upstream(never_ends) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        await exchange.read()
        exchange.close(linger_s=0.03)
        await upstream.wait_until_idle()


async def test_what_comes_while_nothing_is_asked_ends_the_connection(transport: HttpTransport) -> None:
    async def talks_on(answer: Answer) -> None:
        await whole(answer)
        await asyncio.sleep(0.02)
        await answer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        await asyncio.Event().wait()

    async with running_upstream(talks_on) as upstream:
        await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))
        await upstream.wait_until_idle()


async def test_an_answer_read_slowly_is_held_up_and_arrives_whole(transport: HttpTransport) -> None:
    body = b"x" * (8 * MAX_HELD_BYTES)

    async def script(answer: Answer) -> None:
        await answer.head(200, {"content-length": str(len(body))})
        await answer.send(body)

    async with running_upstream(script) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        await asyncio.sleep(0.05)
        assert len(await exchange.read()) < len(body)
        exchange.close()
        await upstream.wait_until_idle()
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        assert await body_of(exchange) == body


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\0b", "a\x7fb"])
async def test_a_header_that_would_be_two_is_not_sent(transport: HttpTransport, value: str) -> None:
    async with running_upstream(whole) as upstream:
        with pytest.raises(ValueError, match="holds what no header can"):
            await transport.open(provider(upstream.base_url), REQUEST, {"tracestate": value})
        assert upstream.calls == []


async def test_of_two_headers_with_one_name_the_calls_own_is_sent(transport: HttpTransport) -> None:
    async with running_upstream(whole) as upstream:
        await body_of(await transport.open(provider(upstream.base_url), REQUEST, {"x-org": "mine"}))
        assert upstream.calls[0].headers["x-org"] == "mine"


async def test_cancelling_open_closes_the_socket(transport: HttpTransport) -> None:
    async with running_upstream(hangs()) as upstream:
        await cancelled_while_opening(transport, upstream)
        await upstream.wait_until_idle()


async def cancelled_while_opening(transport: HttpTransport, upstream: Upstream) -> None:
    opening = asyncio.ensure_future(transport.open(provider(upstream.base_url), REQUEST, {}))
    await upstream.wait_for_calls(1)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
