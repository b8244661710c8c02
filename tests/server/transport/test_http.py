"""What the pool does on real sockets."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from trunkline.errors import ProviderBadAnswerError, ProviderSilentError, ProviderUnavailableError
from trunkline.secret import Secret
from trunkline_server.providers.kinds import ProviderKind
from trunkline_server.providers.target import Provider
from trunkline_server.transport.exchange import Exchange
from trunkline_server.transport.http import HttpTransport
from trunkline_server.values.wire import WireRequest
from upstream import Answer, Upstream, completion, hangs, in_turn, running_upstream

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


async def test_a_stale_connection_gets_one_free_retry(transport: HttpTransport) -> None:
    async def drops(answer: Answer) -> None:
        answer.reset()

    async with running_upstream(in_turn(whole, drops, whole)) as upstream:
        await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))
        await body_of(await transport.open(provider(upstream.base_url), REQUEST, {}))
        assert len(upstream.calls) == 3


async def test_a_provider_that_always_drops_is_unavailable(transport: HttpTransport) -> None:
    async def drops(answer: Answer) -> None:
        answer.reset()

    async with running_upstream(drops) as upstream:
        with pytest.raises(ProviderUnavailableError, match="provider p cannot be reached: it closed the connection"):
            await transport.open(provider(upstream.base_url), REQUEST, {})
        assert len(upstream.calls) == 1  # the connection was new, so nothing was stale


async def test_a_refused_connection_is_told_without_the_address(transport: HttpTransport) -> None:
    with pytest.raises(ProviderUnavailableError) as caught:
        await transport.open(provider("http://127.0.0.1:9/v1"), REQUEST, {})
    assert caught.value.message == "provider p cannot be reached: the connection was refused"


async def test_redirects_are_not_followed(transport: HttpTransport) -> None:
    async def redirects(answer: Answer) -> None:
        await answer.json({}, 307, {"location": "http://127.0.0.1:1/elsewhere"})

    async with running_upstream(redirects) as upstream:
        exchange = await transport.open(provider(upstream.base_url), REQUEST, {})
        assert exchange.status == 307
        exchange.close()


async def test_a_compressed_answer_is_understood(transport: HttpTransport) -> None:
    async def compressed(answer: Answer) -> None:
        await answer.json(gzip.compress(b'{"a":1}'), headers={"content-encoding": "gzip"})

    async with running_upstream(compressed) as upstream:
        assert await body_of(await transport.open(provider(upstream.base_url), REQUEST, {})) == b'{"a":1}'


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
