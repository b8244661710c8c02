"""Whatever way a client leaves, the gateway's answer is closed at once and nothing of the call stays behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from grpc_serving import becomes_true, channel_to, no_task_left_behind, served
from scripted_gateway import Batches, Script, ScriptedGateway, batches_of, hangs_after
from trunkline.v1 import (
    CompleteRequest,
    CompletionServiceStub,
    Event,
    StreamCompleteRequest,
    StreamCompleteResponse,
)

STREAM_REQUEST = StreamCompleteRequest(request=CompleteRequest(model="m", prompt="p"))

Call = grpc.aio.UnaryStreamCall[StreamCompleteRequest, StreamCompleteResponse]
Leave = Callable[[Call, grpc.aio.Channel], Awaitable[None]]


async def flood(request: CompleteRequest) -> Batches:
    """More than any window or buffer between server and client holds."""
    batch = StreamCompleteResponse(events=[Event(text="x" * 100_000)])
    while True:
        yield batch


async def cancel(call: Call, channel: grpc.aio.Channel) -> None:
    """The client cancels its call."""
    call.cancel()


async def disconnect(call: Call, channel: grpc.aio.Channel) -> None:
    """The client goes away with its connection."""
    await channel.close()


LEAVING: dict[str, Leave] = {"cancel": cancel, "disconnect": disconnect}


@asynccontextmanager
async def answering(script: Script) -> AsyncIterator[tuple[ScriptedGateway, str]]:
    """A served gateway, which must be left as it was."""
    gateway = ScriptedGateway(script)
    async with served(gateway) as address, no_task_left_behind():
        yield gateway, address


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
async def test_leaving_before_the_first_batch(leave: Leave) -> None:
    async with answering(hangs_after()) as (gateway, address), channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)
        await gateway.begun.wait()
        await leave(call, channel)
        await asyncio.wait_for(gateway.ended.wait(), 1)
        assert gateway.endings == ["left"]


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
async def test_leaving_mid_stream(leave: Leave) -> None:
    async with answering(hangs_after(*batches_of("Hel")[:2])) as (gateway, address), channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)
        await call.read()
        await call.read()
        await leave(call, channel)
        await asyncio.wait_for(gateway.ended.wait(), 1)
        assert gateway.endings == ["left"]


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
async def test_leaving_while_a_write_waits_for_the_client_to_read(
    leave: Leave, caplog: pytest.LogCaptureFixture
) -> None:
    written = 0

    async def counted(request: CompleteRequest) -> Batches:
        nonlocal written
        async for batch in flood(request):
            written += 1
            yield batch

    async with answering(counted) as (gateway, address), channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)
        await gateway.begun.wait()
        await until_still(lambda: written)
        await leave(call, channel)
        await asyncio.wait_for(gateway.ended.wait(), 1)
        assert gateway.endings == ["left"]
    assert caplog.records == [], "a client that leaves is nothing to log"


async def until_still(count: Callable[[], int]) -> None:
    """Waits until nothing more is written."""
    before = -1
    while before != count():
        before = count()
        await asyncio.sleep(0.05)


async def test_the_deadline_ends_a_stream() -> None:
    async with answering(hangs_after(*batches_of("Hel")[:2])) as (gateway, address), channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST, timeout=0.1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [_ async for _ in call]
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(gateway.ended.wait(), 1)
        assert gateway.endings == ["left"]


async def test_the_deadline_ends_a_stream_that_the_client_does_not_read() -> None:
    async with answering(flood) as (gateway, address), channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST, timeout=0.1)
        await asyncio.wait_for(gateway.ended.wait(), 1)
        assert gateway.endings == ["left"]
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_cancelling_a_whole_answer() -> None:
    async with answering(hangs_after()) as (gateway, address), channel_to(address) as channel:
        call = CompletionServiceStub(channel).Complete(CompleteRequest(model="m"))
        await gateway.begun.wait()
        call.cancel()
        await asyncio.wait_for(gateway.ended.wait(), 1)
        assert gateway.endings == ["left"]


async def test_the_deadline_ends_a_whole_answer() -> None:
    async with answering(hangs_after()) as (gateway, address), channel_to(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CompletionServiceStub(channel).Complete(CompleteRequest(model="m"), timeout=0.1)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(gateway.ended.wait(), 1)
        assert gateway.endings == ["left"]


async def test_nothing_is_read_ahead_of_a_client_that_does_not_read() -> None:
    """Pull-driven: what the client has no room for is never asked of the gateway."""
    written = 0

    async def counted(request: CompleteRequest) -> Batches:
        nonlocal written
        async for batch in flood(request):
            written += 1
            yield batch

    async with answering(counted) as (gateway, address), channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)
        await gateway.begun.wait()
        await until_still(lambda: written)
        unread = written
        for _ in range(100):
            await call.read()
        await until_still(lambda: written)
        assert unread < 100 < written
        call.cancel()
        await asyncio.wait_for(gateway.ended.wait(), 1)


async def test_a_client_that_takes_nothing_for_too_long_is_cut() -> None:
    gateway = ScriptedGateway(flood)
    async with served(gateway, write_stall_s=0.1) as address, channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)
        await asyncio.wait_for(gateway.ended.wait(), 1)
        assert gateway.endings == ["left"]
        # What was under way still arrives when the client wakes up, then the truth.
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [_ async for _ in call]
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert caught.value.details() == "the client took nothing of the answer for 0.1 s"


async def test_a_slow_provider_is_not_a_slow_client() -> None:
    async def slow(request: CompleteRequest) -> Batches:
        for batch in batches_of("Hello"):
            await asyncio.sleep(0.08)
            yield batch

    gateway = ScriptedGateway(slow)
    async with served(gateway, write_stall_s=0.05) as address, channel_to(address) as channel:
        batches = [batch async for batch in CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)]
    assert batches == batches_of("Hello")


async def test_many_clients_leave_at_once() -> None:
    async with answering(hangs_after(*batches_of("Hel")[:2])) as (gateway, address), channel_to(address) as channel:
        calls = [CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST) for _ in range(50)]
        for call in calls:
            await call.read()
        for call in calls:
            call.cancel()
        assert await becomes_true(lambda: len(gateway.endings) == len(calls))
        assert set(gateway.endings) == {"left"}
