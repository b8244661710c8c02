"""Connections: how old they get, how much they carry, who lets go of the dead, and what is compressed."""

import asyncio
import signal
import sys

import grpc
import pytest

from counting_relay import counting_relay
from grpc_serving import MAX_MESSAGE_BYTES, becomes_true, channel_to, no_task_left_behind, served
from http2_frames import GOAWAY, MAX_CONCURRENT_STREAMS, frames_to
from running_gateway import running_gateway, settings_for
from scripted_gateway import Batches, ScriptedGateway, batches_of, hangs_after
from trunkline.channel import ChannelGateway
from trunkline.context import CallContext
from trunkline.errors import GatewayUnreachableError, RequestTooLargeError
from trunkline.status import from_rpc_error
from trunkline.v1 import CompleteRequest, CompletionServiceStub, StreamCompleteRequest, StreamCompleteResponse
from trunkline_server.rpc.server import ConnectionPolicy

REQUEST = CompleteRequest(model="m", prompt="p")
STREAM_REQUEST = StreamCompleteRequest(request=REQUEST)
LONG = "all the same " * 10_000


async def test_a_connection_that_has_its_age_is_told_to_go_and_what_runs_on_it_finishes() -> None:
    proceed = asyncio.Event()

    async def waits(request: CompleteRequest) -> Batches:
        first, *rest = batches_of("Hello")
        yield first
        await proceed.wait()
        for batch in rest:
            yield batch

    policy = ConnectionPolicy(max_age_s=0.3, max_age_grace_s=30)
    async with (
        served(ScriptedGateway(waits), connections=policy) as address,
        channel_to(address) as channel,
        frames_to(address) as frames,
    ):
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)
        batches = [await call.read()]
        await frames.read_until(GOAWAY)
        # The stream's own connection is older than that one.
        proceed.set()
        while (batch := await call.read()) is not grpc.aio.EOF:
            batches.append(batch)
        assert batches == batches_of("Hello")
        answer = await CompletionServiceStub(channel).Complete(REQUEST)
        assert answer.choices[0].message.parts[0].text == "Hello"


async def test_what_outlasts_the_grace_of_an_old_connection_is_cut_and_its_work_cancelled() -> None:
    gateway = ScriptedGateway(hangs_after(*batches_of("Hel")[:2]))
    policy = ConnectionPolicy(max_age_s=0.2, max_age_grace_s=0.2)
    async with served(gateway, connections=policy) as address, channel_to(address) as channel, no_task_left_behind():
        with pytest.raises(GatewayUnreachableError):
            async for _ in ChannelGateway(channel).stream(REQUEST, CallContext()):
                pass
        assert await becomes_true(lambda: gateway.endings == ["left"])


async def test_a_connection_carries_as_many_streams_as_are_allowed() -> None:
    policy = ConnectionPolicy(max_streams=7)
    async with served(ScriptedGateway(), connections=policy) as address, frames_to(address) as frames:
        assert (await frames.settings())[MAX_CONCURRENT_STREAMS] == 7


async def test_what_is_configured_reaches_the_connections() -> None:
    settings = settings_for({}, grpc={"port": 0, "max_streams_per_connection": 9, "max_connection_age_s": 0.2})
    async with running_gateway(settings) as gateway, frames_to(gateway.grpc_address) as frames:
        assert (await frames.settings())[MAX_CONCURRENT_STREAMS] == 9
        await asyncio.wait_for(frames.read_until(GOAWAY), 10)


ASKS = """
import sys, trunkline
with trunkline.Client(sys.argv[1]) as client:
    client.ask("m", "p")
"""


async def test_a_peer_that_is_dead_without_a_word_is_found_and_its_work_cancelled() -> None:
    """Its machine still holds the connection open, but nobody answers there."""
    gateway = ScriptedGateway(hangs_after())
    policy = ConnectionPolicy(keepalive_s=1, keepalive_timeout_s=1)
    async with served(gateway, connections=policy) as address:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ASKS, address, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await asyncio.wait_for(gateway.begun.wait(), 20)
            client.send_signal(signal.SIGSTOP)
            await asyncio.wait_for(gateway.ended.wait(), 20)
        finally:
            client.kill()
            await client.wait()
    assert gateway.endings == ["left"]


async def test_compressed_requests_are_read() -> None:
    gateway = ScriptedGateway()
    request = CompleteRequest(model="m", prompt=LONG)
    async with served(gateway) as address, channel_to(address) as channel:
        await CompletionServiceStub(channel).Complete(request, compression=grpc.Compression.Gzip)
    assert gateway.requests == [request]


async def test_a_compressed_request_counts_as_it_is_inflated() -> None:
    gateway = ScriptedGateway()
    request = CompleteRequest(model="m", prompt="a" * (MAX_MESSAGE_BYTES + 1))
    options = (("grpc.max_send_message_length", -1),)
    async with served(gateway) as address, grpc.aio.insecure_channel(address, options) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CompletionServiceStub(channel).Complete(request, compression=grpc.Compression.Gzip)
    assert isinstance(from_rpc_error(caught.value), RequestTooLargeError)
    assert gateway.requests == []


@pytest.mark.parametrize("compress", [False, True])
async def test_whole_answers_are_compressed_if_so_set_and_streams_never(compress: bool) -> None:
    async def says(request: CompleteRequest) -> Batches:
        for batch in batches_of(LONG):
            yield batch

    async with (
        served(ScriptedGateway(says), compress=compress) as address,
        counting_relay(address) as relay,
        channel_to(relay.address) as channel,
    ):
        stub = CompletionServiceStub(channel)
        answer = await stub.Complete(REQUEST)
        whole_bytes = relay.received_bytes
        assert answer.choices[0].message.parts[0].text == LONG
        batches = [batch async for batch in stub.StreamComplete(STREAM_REQUEST)]
        assert len(batches) == len(batches_of(LONG))
        assert isinstance(batches[0], StreamCompleteResponse)
    assert (whole_bytes < len(LONG)) == compress
    assert relay.received_bytes - whole_bytes > len(LONG)
