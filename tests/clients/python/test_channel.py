"""A gateway behind a channel behaves as the one it reaches."""

import asyncio
import time
from contextlib import aclosing

import grpc
import pytest

from grpc_serving import becomes_true, channel_to, no_task_left_behind, served
from scripted_gateway import Batches, ScriptedGateway, batches_of, breaks_off, failed_batch, hangs_after, refuses
from trunkline.channel import ChannelGateway, open_channel
from trunkline.context import CallContext
from trunkline.errors import (
    BadKeyError,
    DeadlineError,
    GatewayUnreachableError,
    InternalError,
    NotFoundError,
    ProviderSilentError,
    RequestTooLargeError,
)
from trunkline.gateway import Gateway
from trunkline.secret import Secret
from trunkline.v1 import (
    CompleteRequest,
    GetModelRequest,
    ListModelsRequest,
    Priority,
    StreamCompleteResponse,
)

REQUEST = CompleteRequest(model="m", prompt="p")
NOBODY = CallContext()


async def test_it_answers_as_the_gateway_behind_it() -> None:
    behind = ScriptedGateway()
    async with served(behind) as address, channel_to(address) as channel:
        gateway: Gateway = ChannelGateway(channel)
        whole = await gateway.complete(REQUEST, NOBODY)
        batches = [batch async for batch in gateway.stream(REQUEST, NOBODY)]
        page = await gateway.list_models(ListModelsRequest(page_token="2"), NOBODY)
        model = await gateway.get_model(GetModelRequest(id="b"), NOBODY)
        assert await gateway.ready()
    assert whole == await behind.complete(REQUEST, NOBODY)
    assert batches == batches_of("Hello ", "there")
    assert [model.id for model in page.models] == ["c"]
    assert model.model.id == "b"
    assert behind.requests[:2] == [REQUEST, REQUEST]


async def test_it_hands_the_whole_context_on() -> None:
    behind = ScriptedGateway()
    context = CallContext(
        request_id="r",
        credential=Secret("sk-1"),
        deadline=time.monotonic() + 30,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate="a=1",
        baggage="b=2",
        idempotency_key="idem",
        strict=False,
        priority=Priority.PRIORITY_LOW,
        client_address="192.0.2.7",
        size_bytes=REQUEST.ByteSize(),
    )
    async with served(behind) as address, channel_to(address) as channel:
        await ChannelGateway(channel).complete(REQUEST, context)
    arrived = behind.contexts[0]
    assert arrived.deadline == pytest.approx(context.deadline, abs=0.5)
    assert {**_fields(arrived), "deadline": None} == {**_fields(context), "deadline": None}


def _fields(context: CallContext) -> dict[str, object]:
    return {name: getattr(context, name) for name in CallContext.__slots__}


async def test_its_failures_are_those_of_the_gateway_behind_it() -> None:
    error = ProviderSilentError("silent", target="p/m")
    async with served(ScriptedGateway(refuses(error))) as address, channel_to(address) as channel:
        gateway = ChannelGateway(channel)
        with pytest.raises(ProviderSilentError) as caught:
            await gateway.complete(REQUEST, CallContext(request_id="r-1"))
        assert caught.value.to_failure() == error.to_failure()
        assert caught.value.request_id == "r-1"
        with pytest.raises(ProviderSilentError) as caught:
            await anext(gateway.stream(REQUEST, CallContext(request_id="r-2")))
        assert caught.value.to_failure() == error.to_failure()
        assert caught.value.request_id == "r-2"
        with pytest.raises(NotFoundError):
            await gateway.get_model(GetModelRequest(id="nothing"), NOBODY)


async def test_a_stream_that_fails_gives_its_failed_batch_first() -> None:
    error = ProviderSilentError("silent", target="p/m")
    batches: list[StreamCompleteResponse] = []

    async def read(gateway: Gateway) -> None:
        async for batch in gateway.stream(REQUEST, NOBODY):
            batches.append(batch)  # noqa: PERF401 what came before the failure counts

    async with served(ScriptedGateway(breaks_off(error, "Hel"))) as address, channel_to(address) as channel:
        with pytest.raises(ProviderSilentError) as caught:
            await read(ChannelGateway(channel))
    assert batches == [*batches_of("Hel")[:2], failed_batch(error, first_event=4)]
    assert caught.value.to_failure() == error.to_failure()


async def test_closing_a_stream_cancels_the_call() -> None:
    behind = ScriptedGateway(hangs_after(*batches_of("Hel")[:2]))
    async with served(behind) as address, channel_to(address) as channel, no_task_left_behind():
        async with aclosing(ChannelGateway(channel).stream(REQUEST, NOBODY)) as batches:
            assert await anext(batches) == batches_of("Hel")[0]
        await asyncio.wait_for(behind.ended.wait(), 1)
    assert behind.endings == ["left"]


@pytest.mark.parametrize("begun", [0, 2], ids=["before the first batch", "mid-stream"])
async def test_cancelling_the_reader_cancels_the_call(begun: int) -> None:
    behind = ScriptedGateway(hangs_after(*batches_of("Hel")[:begun]))
    read = 0

    async def reader(gateway: Gateway) -> None:
        nonlocal read
        async with aclosing(gateway.stream(REQUEST, NOBODY)) as batches:
            async for _ in batches:
                read += 1

    async with served(behind) as address, channel_to(address) as channel, no_task_left_behind():
        task = asyncio.create_task(reader(ChannelGateway(channel)))
        await behind.begun.wait()
        assert await becomes_true(lambda: read == begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(behind.ended.wait(), 1)
    assert behind.endings == ["left"]


async def test_cancelling_who_awaits_a_whole_answer_cancels_the_call() -> None:
    behind = ScriptedGateway(hangs_after())
    async with served(behind) as address, channel_to(address) as channel, no_task_left_behind():
        task = asyncio.create_task(ChannelGateway(channel).complete(REQUEST, NOBODY))
        await behind.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(behind.ended.wait(), 1)
    assert behind.endings == ["left"]


async def test_the_deadline_is_a_typed_error_on_both_forms() -> None:
    behind = ScriptedGateway(hangs_after())
    async with served(behind) as address, channel_to(address) as channel, no_task_left_behind():
        gateway = ChannelGateway(channel)
        with pytest.raises(DeadlineError):
            await gateway.complete(REQUEST, NOBODY.with_timeout(0.05))
        with pytest.raises(DeadlineError):
            await anext(gateway.stream(REQUEST, NOBODY.with_timeout(0.05)))
        assert await becomes_true(lambda: len(behind.endings) == 2)


async def test_a_deadline_that_has_passed_asks_nothing() -> None:
    behind = ScriptedGateway()
    async with served(behind) as address, channel_to(address) as channel:
        with pytest.raises(DeadlineError):
            await ChannelGateway(channel).complete(REQUEST, CallContext(deadline=time.monotonic() - 1))
    assert behind.requests == []


async def test_nobody_there_is_said_with_the_address(free_port: int) -> None:
    address = f"127.0.0.1:{free_port}"
    async with open_channel(address) as channel:
        gateway = ChannelGateway(channel, address=address)
        assert not await gateway.ready()
        with pytest.raises(GatewayUnreachableError, match=rf"no answer from the gateway at {address} .*runs"):
            await gateway.complete(REQUEST, NOBODY)
        with pytest.raises(GatewayUnreachableError, match=address):
            await anext(gateway.stream(REQUEST, NOBODY))


async def test_a_draining_gateway_is_not_ready() -> None:
    async with served(ScriptedGateway()) as address:
        channel = open_channel(address)
        gateway = ChannelGateway(channel)
        assert await gateway.ready()
    assert not await gateway.ready()
    await channel.close()


async def test_a_gateway_that_is_not_one_is_not_ready() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        assert not await ChannelGateway(channel).ready()
    await server.stop(None)


async def test_a_closed_channel_is_a_typed_error() -> None:
    async with served(ScriptedGateway()) as address:
        channel = open_channel(address)
        await channel.close()
        gateway = ChannelGateway(channel)
        assert not await gateway.ready()
        with pytest.raises(GatewayUnreachableError):
            await gateway.complete(REQUEST, NOBODY)
        with pytest.raises(GatewayUnreachableError):
            await anext(gateway.stream(REQUEST, NOBODY))


async def test_closing_the_channel_does_not_look_like_a_cancelled_task() -> None:
    """gRPC raises CancelledError then, and a task that believes it would end without a word."""
    behind = ScriptedGateway(hangs_after())
    async with served(behind) as address, no_task_left_behind():
        channel = open_channel(address)
        gateway = ChannelGateway(channel)
        whole = asyncio.create_task(gateway.complete(REQUEST, NOBODY))
        stream = asyncio.create_task(anext(gateway.stream(REQUEST, NOBODY)))
        assert await becomes_true(lambda: len(behind.requests) == 2)
        await channel.close()
        results = await asyncio.gather(whole, stream, return_exceptions=True)
        assert [type(result) for result in results] == [GatewayUnreachableError] * 2


async def test_a_stream_that_ends_early_is_never_whole() -> None:
    """Whatever sits between: OK without `finished` is a cut."""

    async def cut(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await context.write(batches_of("Hello")[0].SerializeToString())

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "StreamComplete": grpc.unary_stream_rpc_method_handler(cut)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("trunkline.v1.CompletionService", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        batches = ChannelGateway(channel).stream(REQUEST, NOBODY)
        assert await anext(batches) == batches_of("Hello")[0]
        with pytest.raises(InternalError, match="before the answer was finished"):
            await anext(batches)
    await server.stop(None)


async def test_limits_are_raised_to_the_gateways() -> None:
    """gRPC's own is 4 MiB for what comes back."""
    size = 5 * 1024 * 1024
    behind = ScriptedGateway()
    async with served(behind, max_message_bytes=2 * size) as address:
        async with open_channel(address) as channel:
            await ChannelGateway(channel).complete(CompleteRequest(prompt="x" * size), NOBODY)
        async with open_channel(address, max_message_bytes=1000) as channel:
            with pytest.raises(RequestTooLargeError):
                await ChannelGateway(channel).complete(CompleteRequest(prompt="x" * size), NOBODY)
    assert len(behind.requests) == 1


async def test_a_large_answer_arrives() -> None:
    text = "x" * 5 * 1024 * 1024

    async def large(request: CompleteRequest) -> Batches:
        for batch in batches_of(text):
            yield batch

    async with (
        served(ScriptedGateway(large), max_message_bytes=2 * len(text)) as address,
        open_channel(address) as channel,
    ):
        answer = await ChannelGateway(channel).complete(REQUEST, NOBODY)
    assert answer.choices[0].message.parts[0].text == text


async def test_a_key_that_cannot_be_sent_is_a_bad_key() -> None:
    async with served(ScriptedGateway()) as address, channel_to(address) as channel:
        with pytest.raises(BadKeyError):
            await ChannelGateway(channel).complete(REQUEST, CallContext(credential=Secret("k\n")))
