"""Converse over a real channel: how a session ends, and that nothing is left of it whatever its client does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from grpc_serving import MAX_MESSAGE_BYTES, becomes_true, channel_to, no_task_left_behind, served
from session_socket import Call, socket_session
from session_wire import cancel, start
from steered_gateway import SteeredGateway
from trunkline.errors import BadKeyError, DeadlineError, InvalidRequestError, ShuttingDownError
from trunkline.metadata import REQUEST_ID
from trunkline.status import from_rpc_error
from trunkline.v1 import CompletionServiceStub, ConverseResponse

CONVERSE = "/trunkline.v1.CompletionService/Converse"


@asynccontextmanager
async def conversing(
    gateway: SteeredGateway, *, write_stall_s: float = 60
) -> AsyncIterator[tuple[grpc.aio.Channel, str]]:
    """A channel to the served gateway, of whose session nothing may be left."""
    async with (
        served(gateway, write_stall_s=write_stall_s) as address,
        no_task_left_behind(),
        channel_to(address) as channel,
    ):
        yield channel, address


async def read(call: Call) -> ConverseResponse:
    """The next response."""
    response = await call.read()
    assert isinstance(response, ConverseResponse), await call.code()
    return response


async def failure_of(call: "grpc.aio.StreamStreamCall[bytes, bytes] | Call") -> grpc.aio.AioRpcError:
    """How a session fails, after whatever came before."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error
    pytest.fail("the session ended well")


async def all_left(gateway: SteeredGateway) -> bool:
    """Whether every answer was given up, now or soon."""
    return await becomes_true(lambda: [answer.ending for answer in gateway.answers] == ["left"] * len(gateway.answers))


async def cancels(call: Call, channel: grpc.aio.Channel) -> None:
    """The client cancels its call."""
    call.cancel()


async def disconnects(call: Call, channel: grpc.aio.Channel) -> None:
    """The client goes away with its connection."""
    await channel.close()


LEAVING = [cancels, disconnects]
Leave = Callable[[Call, grpc.aio.Channel], Awaitable[None]]


@pytest.mark.parametrize("leave", LEAVING)
async def test_leaving_ends_every_request_at_once(leave: Leave) -> None:
    gateway = SteeredGateway()
    async with conversing(gateway) as (channel, _):
        call = CompletionServiceStub(channel).Converse()
        for command in (start("a"), start("b", conversation="k"), start("c", credit=0)):
            await call.write(command)
        (await gateway.asked(2)).say("half")
        while not (await read(call)).batches:
            pass
        await leave(call, channel)
        assert await all_left(gateway)


@pytest.mark.parametrize("leave", LEAVING)
async def test_leaving_an_idle_session(leave: Leave) -> None:
    async with conversing(SteeredGateway()) as (channel, _):
        call = CompletionServiceStub(channel).Converse()
        assert (await read(call)).HasField("opened")
        await leave(call, channel)


@pytest.mark.parametrize("leave", LEAVING)
async def test_leaving_while_a_write_waits_for_the_client_to_read(
    leave: Leave, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = SteeredGateway()
    async with conversing(gateway) as (channel, _):
        call = CompletionServiceStub(channel).Converse()
        await call.write(start("a"))
        await stuffed(gateway)
        await leave(call, channel)
        assert await all_left(gateway)
    assert caplog.records == [], "a client that leaves is nothing to log"


async def stuffed(gateway: SteeredGateway) -> int:
    """Says more than any window or buffer on the way holds; how many batches were taken of it."""
    answer = await gateway.asked(1)
    for _ in range(200):
        answer.say("x" * 50_000)
    before = -1
    while before != answer.pulls:
        before = answer.pulls
        await asyncio.sleep(0.05)
    assert answer.pulls < 150
    return answer.pulls


async def test_a_client_that_never_reads_is_cut_off() -> None:
    gateway = SteeredGateway()
    async with conversing(gateway, write_stall_s=0.2) as (channel, _):
        call = CompletionServiceStub(channel).Converse()
        await call.write(start("a"))
        await stuffed(gateway)
        assert await all_left(gateway)
        error = from_rpc_error(await failure_of(call))
    assert isinstance(error, DeadlineError)
    assert error.message == "the client took nothing of the session for 0.2 s"


async def test_a_client_that_vanished_without_a_word_is_cut_off() -> None:
    gateway = SteeredGateway()
    async with (
        served(gateway, write_stall_s=0.2) as address,
        no_task_left_behind(),
        swallowing(address) as line,
        channel_to(line.address) as channel,
    ):
        call = CompletionServiceStub(channel).Converse()
        await call.write(start("a"))
        await gateway.asked(1)
        line.open.clear()
        await stuffed(gateway)
        assert await all_left(gateway)
        call.cancel()


class Swallowing:
    """A line between client and gateway that may go dead without either being told."""

    def __init__(self, target: str) -> None:
        self.address = ""
        self.open = asyncio.Event()
        self.open.set()
        self._target = target
        self._tasks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        host, _, port = self._target.rpartition(":")
        to_gateway, of_gateway = await asyncio.open_connection(host, int(port))
        self._tasks += (
            asyncio.create_task(self._pass_on(reader, of_gateway)),
            asyncio.create_task(self._pass_on(to_gateway, writer)),
        )

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self.open.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def close(self) -> None:
        """Ends every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


@asynccontextmanager
async def swallowing(address: str) -> AsyncIterator[Swallowing]:
    """Such a line to this address."""
    line = Swallowing(address)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    line.address = f"{host}:{port}"
    try:
        yield line
    finally:
        server.close()
        await line.close()
        await server.wait_closed()


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x02\xff\xfe"], ids=["no message", "not UTF-8"])
async def test_bytes_that_are_no_command_end_the_session(data: bytes) -> None:
    gateway = SteeredGateway()
    async with conversing(gateway) as (channel, _):
        raw: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(CONVERSE)
        call = raw()
        await call.write(start("a").SerializeToString())
        await gateway.asked(1)
        await call.write(data)
        error = from_rpc_error(await failure_of(call))
        assert await all_left(gateway)
    assert isinstance(error, InvalidRequestError)
    assert "is not a readable trunkline.v1.ConverseRequest" in error.message


async def test_a_message_that_is_too_large_ends_the_session() -> None:
    gateway = SteeredGateway()
    async with conversing(gateway) as (_, address), grpc.aio.insecure_channel(address) as channel:
        call = CompletionServiceStub(channel).Converse()
        await call.write(start("a"))
        await gateway.asked(1)
        await call.write(start("b", "x" * MAX_MESSAGE_BYTES))
        assert (await failure_of(call)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await all_left(gateway)
    assert len(gateway.answers) == 1


async def test_a_missing_key_opens_no_session() -> None:
    async with conversing(SteeredGateway(key="k")) as (channel, _):
        error = from_rpc_error(await failure_of(CompletionServiceStub(channel).Converse()))
    assert isinstance(error, BadKeyError)


async def test_metadata_that_makes_no_sense_opens_no_session() -> None:
    async with conversing(SteeredGateway()) as (channel, _):
        call = CompletionServiceStub(channel).Converse(metadata=(("x-trunkline-strict", "perhaps"),))
        error = from_rpc_error(await failure_of(call))
    assert isinstance(error, InvalidRequestError)


async def test_the_calls_deadline_ends_all_of_it() -> None:
    gateway = SteeredGateway()
    async with conversing(gateway) as (channel, _):
        call = CompletionServiceStub(channel).Converse(timeout=0.2)
        await call.write(start("a"))
        await gateway.asked(1)
        assert (await failure_of(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await all_left(gateway)
    assert gateway.answers[0].context.deadline is not None


async def test_a_session_goes_by_the_calls_request_id() -> None:
    async with conversing(SteeredGateway()) as (channel, _):
        call = CompletionServiceStub(channel).Converse(metadata=((REQUEST_ID, "mine"),))
        assert (await read(call)).opened.session_id == "mine"
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
        assert dict(await call.trailing_metadata())[REQUEST_ID] == "mine"


async def test_a_server_that_drains_lets_sessions_finish() -> None:
    gateway = SteeredGateway()
    async with socket_session(gateway) as wire:
        wire.send(start("a"))
        await gateway.asked(1)
        draining = asyncio.create_task(wire.surface.drain(30))
        await wire.until(lambda: any(response.HasField("draining") for response in wire.transcript.responses))
        wire.send(start("b"))
        await wire.until(lambda: bool(wire.transcript.rejected))
        gateway.answers[0].say("to the end")
        gateway.answers[0].finish()
        await wire.over()
        await draining
        assert await wire.call.code() is grpc.StatusCode.OK
    assert wire.transcript.text("a") == "to the end"
    assert wire.transcript.ends() == {"a": "finished"}


async def test_what_a_drain_has_no_time_for_fails_with_a_word() -> None:
    gateway = SteeredGateway()
    async with socket_session(gateway) as wire:
        wire.send(start("a"))
        await gateway.asked(1)
        await wire.surface.drain(0.6)
        await wire.over()
        assert await wire.call.code() is grpc.StatusCode.OK
    failure = wire.transcript.answers[0][1][-1].failed.failure
    assert (failure.code, failure.message) == (
        ShuttingDownError.code,
        "the gateway is shutting down; ask again in a new session",
    )


async def test_a_server_that_stops_says_so() -> None:
    gateway = SteeredGateway()
    async with socket_session(gateway) as wire:
        wire.send(start("a"))
        await gateway.asked(1)
        await wire.surface.stop()
        error = from_rpc_error(await failure_of(wire.call))
    assert isinstance(error, ShuttingDownError)
    assert gateway.answers[0].ending in ("failed", "left")  # whichever hears of it first


async def test_many_sessions_share_a_connection_and_not_their_ids() -> None:
    gateway = SteeredGateway()
    async with conversing(gateway) as (channel, _):
        calls = [CompletionServiceStub(channel).Converse() for _ in range(20)]
        for number, call in enumerate(calls):
            await call.write(start("a", f"{number}"))
        await gateway.asked(20)
        for answer in gateway.answers:
            answer.say(answer.request.prompt)
            answer.finish()
        for number, call in enumerate(calls):
            await call.done_writing()
            text = ""
            while isinstance(response := await call.read(), ConverseResponse):
                text += "".join(event.text for batch in response.batches for event in batch.events)
            assert text == f"{number}"


async def test_cancel_frees_the_id_for_another() -> None:
    gateway = SteeredGateway()
    async with socket_session(gateway) as wire:
        wire.send(start("a"))
        await gateway.asked(1)
        wire.send(cancel("a"))
        await wire.ended("a")
        wire.send(start("a"))
        (await gateway.asked(2)).finish()
        await wire.until(lambda: wire.transcript.ends() == {"a": "finished"})
    assert wire.transcript.rejected == []
