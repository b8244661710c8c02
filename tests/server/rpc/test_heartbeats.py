"""What a silent stream sends over gRPC, and that it is no part of the answer."""

import asyncio
from collections.abc import AsyncIterable

import grpc
import pytest

from grpc_serving import becomes_true, channel_to, served
from scripted_gateway import Batches, ScriptedGateway, batches_of, failed_batch, hangs_after
from trunkline.errors import ProviderSilentError
from trunkline.status import from_rpc_error
from trunkline.v1 import CompleteRequest, CompletionServiceStub, StreamCompleteRequest, StreamCompleteResponse

ASK = StreamCompleteRequest(request=CompleteRequest(model="m", prompt="Hi"))
BEAT_S = 0.03


def beats(batches: list[StreamCompleteResponse]) -> list[StreamCompleteResponse]:
    return [batch for batch in batches if batch.events[0].HasField("heartbeat")]


async def read_into(batches: list[StreamCompleteResponse], call: AsyncIterable[StreamCompleteResponse]) -> None:
    """Keeps what comes before a failure."""
    async for batch in call:
        batches.append(batch)  # noqa: PERF401 a comprehension would lose them all


async def slow(request: CompleteRequest) -> Batches:
    for batch in batches_of("one", " two"):
        await asyncio.sleep(4 * BEAT_S)
        yield batch


async def test_silence_is_filled_by_heartbeats_that_have_no_number() -> None:
    async with served(ScriptedGateway(slow), heartbeat_s=BEAT_S) as address, channel_to(address) as channel:
        batches = [batch async for batch in CompletionServiceStub(channel).StreamComplete(ASK)]
    assert [batch for batch in batches if batch not in beats(batches)] == batches_of("one", " two")
    next_event = 1
    for batch in batches:
        assert batch.first_event == next_event
        if batch in beats(batches):
            assert len(batch.events) == 1
        else:
            next_event += len(batch.events)
    first = beats(batches)[0].events[0].heartbeat.silent_ms
    assert first >= BEAT_S * 1000 - 2
    assert len(beats(batches)) >= 2  # one in each silence; a machine that hesitates may leave out some


async def test_it_is_told_how_long_the_model_has_been_silent() -> None:
    gateway = ScriptedGateway(hangs_after(*batches_of("one")[:2]))
    async with served(gateway, heartbeat_s=BEAT_S) as address, channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(ASK)
        found: list[StreamCompleteResponse] = []
        async for batch in call:
            found.append(batch)
            if len(beats(found)) == 3:
                break
        silences = [batch.events[0].heartbeat.silent_ms for batch in beats(found)]
        assert silences == sorted(set(silences))
        assert silences[-1] >= 3 * BEAT_S * 1000 - 2
        call.cancel()
        assert await becomes_true(lambda: gateway.endings == ["left"])


async def test_nothing_follows_the_end() -> None:
    """However long the gateway takes to settle."""

    async def settles_late(request: CompleteRequest) -> Batches:
        for batch in batches_of("one"):
            yield batch
        await asyncio.sleep(4 * BEAT_S)

    async with served(ScriptedGateway(settles_late), heartbeat_s=BEAT_S) as address, channel_to(address) as channel:
        assert [batch async for batch in CompletionServiceStub(channel).StreamComplete(ASK)] == batches_of("one")


@pytest.mark.parametrize("told", [False, True], ids=["by the server", "by the gateway"])
async def test_a_failure_after_heartbeats_is_the_last_event(told: bool) -> None:
    error = ProviderSilentError("the provider was silent")

    async def fails(request: CompleteRequest) -> Batches:
        begun = batches_of("one")[:2]
        for batch in begun:
            yield batch
        await asyncio.sleep(4 * BEAT_S)
        if told:
            yield failed_batch(error, first_event=begun[-1].first_event + len(begun[-1].events))
        raise error

    batches: list[StreamCompleteResponse] = []
    async with served(ScriptedGateway(fails), heartbeat_s=BEAT_S) as address, channel_to(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_into(batches, CompletionServiceStub(channel).StreamComplete(ASK))
    assert beats(batches)
    assert batches[-1].first_event == 4
    assert batches[-1].events[0].failed.failure == error.to_failure()
    assert from_rpc_error(caught.value).to_failure() == error.to_failure()


async def test_a_refusal_before_the_first_beat_is_the_status_alone() -> None:
    async def refuses(request: CompleteRequest) -> Batches:
        raise ProviderSilentError("no")
        yield StreamCompleteResponse()

    async with served(ScriptedGateway(refuses), heartbeat_s=BEAT_S) as address, channel_to(address) as channel:
        call = CompletionServiceStub(channel).StreamComplete(ASK)
        with pytest.raises(grpc.aio.AioRpcError):
            await anext(aiter(call))
