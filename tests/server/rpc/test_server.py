"""The gRPC server as operators and tools see it: port, health, reflection, and going away in good order."""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from grpc_serving import MAX_MESSAGE_BYTES, becomes_true, channel_to, no_task_left_behind, served
from http2_frames import GOAWAY, PING, frames_to
from scripted_gateway import Batches, Script, ScriptedGateway, batches_of, hangs_after
from trunkline.errors import ShuttingDownError
from trunkline.status import from_rpc_error
from trunkline.v1 import (
    CompleteRequest,
    CompletionServiceStub,
    Event,
    StreamCompleteRequest,
    StreamCompleteResponse,
)
from trunkline_server.rpc import server
from trunkline_server.rpc.server import SERVICE_NAMES, GrpcSurface, ListenError

STREAM_REQUEST = StreamCompleteRequest(request=CompleteRequest(model="m", prompt="p"))
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def surface_of(
    script: Script | None = None,
) -> AsyncIterator[tuple[GrpcSurface, ScriptedGateway, grpc.aio.Channel]]:
    """A running surface, its gateway, and a channel to it."""
    gateway = ScriptedGateway(script)
    surface = GrpcSurface(gateway, max_message_bytes=MAX_MESSAGE_BYTES)
    port = await surface.start("127.0.0.1", 0)
    async with channel_to(f"127.0.0.1:{port}") as channel:
        yield surface, gateway, channel
    await surface.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_port_0_is_a_free_one(host: str) -> None:
    surface = GrpcSurface(ScriptedGateway(), max_message_bytes=MAX_MESSAGE_BYTES)
    port = await surface.start(host, 0)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    async with channel_to(target) as channel:
        answer = await CompletionServiceStub(channel).Complete(CompleteRequest())
    await surface.stop()
    assert answer.choices[0].message.parts[0].text == "Hello there"


async def test_a_port_in_use_is_one_clear_error(capfd: pytest.CaptureFixture[str]) -> None:
    """gRPC shares ports by default, and two servers would answer in turns."""
    async with served(ScriptedGateway()) as address:
        second = GrpcSurface(ScriptedGateway(), max_message_bytes=MAX_MESSAGE_BYTES)
        with pytest.raises(
            ListenError, match=rf"cannot listen for gRPC on {re.escape(address)}: Address already in use"
        ):
            await second.start("127.0.0.1", int(address.rpartition(":")[2]))
        await second.stop()
    assert capfd.readouterr().err == ""


async def test_a_port_of_another_program_is_refused_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        surface = GrpcSurface(ScriptedGateway(), max_message_bytes=MAX_MESSAGE_BYTES)
        with pytest.raises(ListenError, match="Address already in use"):
            await surface.start("127.0.0.1", other.getsockname()[1])


async def test_a_port_is_free_again_after_a_stop() -> None:
    first = GrpcSurface(ScriptedGateway(), max_message_bytes=MAX_MESSAGE_BYTES)
    port = await first.start("127.0.0.1", 0)
    await first.stop()
    second = GrpcSurface(ScriptedGateway(), max_message_bytes=MAX_MESSAGE_BYTES)
    assert await second.start("127.0.0.1", port) == port
    await second.stop()


@pytest.mark.parametrize("service", ["", *SERVICE_NAMES])
async def test_health_knows_each_service(service: str) -> None:
    async with surface_of() as (_, _, channel):
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == SERVING


async def test_health_needs_no_key() -> None:
    async with served(ScriptedGateway(key="k")) as address, channel_to(address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == SERVING


async def listed_services(channel: grpc.aio.Channel, metadata: list[tuple[str, str]]) -> set[str]:
    """What reflection lists."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    call = stub.ServerReflectionInfo(iter([asked]), metadata=metadata)
    return {service.name async for answer in call for service in answer.list_services_response.service}


async def test_reflection_tells_the_contract_to_callers_with_a_key() -> None:
    async with served(ScriptedGateway(key="k")) as address, channel_to(address) as channel:
        services = await listed_services(channel, [("authorization", "Bearer k")])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await listed_services(channel, [])
    assert services == {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "trunkline.v1.CompletionService",
        "trunkline.v1.ModelService",
        "trunkline.v1.OperationsService",
    }
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_draining_lets_a_running_answer_finish() -> None:
    proceed = asyncio.Event()

    async def waits(request: CompleteRequest) -> Batches:
        first, *rest = batches_of("Hello")
        yield first
        await proceed.wait()
        for batch in rest:
            yield batch

    async with surface_of(waits) as (surface, _, channel), asyncio.TaskGroup() as group:
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)
        first = await anext(aiter(call))
        draining = group.create_task(surface.drain(grace_s=5))
        await asyncio.sleep(0.05)
        assert not draining.done()
        proceed.set()
        rest = [batch async for batch in call]
        await asyncio.wait_for(draining, 1)
    assert [first, *rest] == batches_of("Hello")


async def test_draining_turns_new_calls_away() -> None:
    proceed = asyncio.Event()

    async def waits(request: CompleteRequest) -> Batches:
        await proceed.wait()
        for batch in batches_of("Hello"):
            yield batch

    async with surface_of(waits) as (surface, gateway, channel), asyncio.TaskGroup() as group:
        stub = CompletionServiceStub(channel)
        running = group.create_task(answer_of(channel))
        await gateway.begun.wait()
        draining = group.create_task(surface.drain(grace_s=5))
        await asyncio.sleep(0.05)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Complete(CompleteRequest())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not draining.done()
        proceed.set()
    assert running.result() == "Hello"
    assert len(gateway.requests) == 1


async def answer_of(channel: grpc.aio.Channel) -> str:
    """The text of a whole answer."""
    answer = await CompletionServiceStub(channel).Complete(CompleteRequest())
    return answer.choices[0].message.parts[0].text


async def test_draining_says_so_to_who_watches_health_and_does_not_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_FLUSH_S", 0.1)
    async with surface_of() as (surface, _, channel), no_task_left_behind():
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        draining = asyncio.create_task(surface.drain(grace_s=30))
        assert (await watch.read()).status == NOT_SERVING
        await asyncio.wait_for(draining, 2)


async def test_what_outlasts_the_grace_ends_with_a_typed_error(caplog: pytest.LogCaptureFixture) -> None:
    script = hangs_after(*batches_of("Hel")[:2])
    async with surface_of(script) as (surface, gateway, channel), no_task_left_behind():
        stub = CompletionServiceStub(channel)
        stream = stub.StreamComplete(STREAM_REQUEST)
        await stream.read()
        whole = stub.Complete(CompleteRequest())
        assert await becomes_true(lambda: len(gateway.requests) == 2)
        with caplog.at_level(logging.WARNING):
            await asyncio.wait_for(surface.drain(grace_s=0.05), 2)
        await stream.read()
        last = await stream.read()
        assert isinstance(last, StreamCompleteResponse)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert isinstance(from_rpc_error(caught.value), ShuttingDownError)
        assert last.events[0].failed.failure == from_rpc_error(caught.value).to_failure()
        assert last.first_event == 4
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await whole
        assert isinstance(from_rpc_error(caught.value), ShuttingDownError)
    assert gateway.endings == ["left", "left"]
    assert "2 calls still ran after 0.05 s" in caplog.text


async def test_a_client_that_does_not_read_cannot_hold_a_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FLUSH_S", 0.1)

    async def flood(request: CompleteRequest) -> Batches:
        while True:
            yield StreamCompleteResponse(events=[Event(text="x" * 100_000)])

    async with surface_of(flood) as (surface, gateway, channel):
        call = CompletionServiceStub(channel).StreamComplete(STREAM_REQUEST)
        await gateway.begun.wait()
        await asyncio.sleep(0.05)
        await asyncio.wait_for(surface.drain(grace_s=0), 3)
        assert gateway.endings == ["left"]
        call.cancel()


async def test_clients_may_ping_as_often_as_they_like() -> None:
    """gRPC's own default ends a connection after its third ping within five minutes."""
    seen: list[int] = []
    async with served(ScriptedGateway()) as address, frames_to(address) as frames:
        for pings in (10, 11):
            frames.write(PING, bytes(8), times=pings - seen.count(PING))
            while seen.count(PING) < pings and GOAWAY not in seen:
                seen.append((await frames.read()).kind)
    assert GOAWAY not in seen


async def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    surface = GrpcSurface(ScriptedGateway(), max_message_bytes=MAX_MESSAGE_BYTES)
    await surface.stop()
    await surface.start("127.0.0.1", 0)
    await surface.stop()
    await surface.stop()
