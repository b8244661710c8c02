"""The client's end of a session over gRPC on a real socket, as `session_wire` has it without one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

import grpc

from grpc_serving import MAX_MESSAGE_BYTES, becomes_true, channel_to
from session_wire import STALL_S, Wire
from trunkline.gateway import Gateway
from trunkline.v1 import CompletionServiceStub, ConverseRequest, ConverseResponse
from trunkline_server.config.settings import SessionSettings
from trunkline_server.rpc.server import GrpcSurface

Call = grpc.aio.StreamStreamCall[ConverseRequest, ConverseResponse]


class SocketWire(Wire):
    """Writes commands in one task and reads responses in another."""

    def __init__(self, surface: GrpcSurface, call: Call) -> None:
        super().__init__(surface._sessions)
        self.surface = surface
        self.call = call
        self.task = asyncio.create_task(self._read_all())
        self._writing = asyncio.create_task(self._write_all())

    async def _read_all(self) -> None:
        try:
            while True:
                await self.reads.wait()
                response = await self.call.read()
                if not isinstance(response, ConverseResponse):
                    return
                self.sizes.append(response.ByteSize())
                self.transcript.add(response)
                self.changed()
        finally:
            self.changed()

    async def _write_all(self) -> None:
        while (command := await self.read()) is not None:
            await self.call.write(command)
        await self.call.done_writing()

    async def close(self) -> None:
        """Cuts the session, if it has not ended."""
        self.call.cancel()
        self._writing.cancel()
        assert self.task is not None
        await asyncio.wait((self.task, self._writing))
        for task in (self.task, self._writing):
            if not task.cancelled():
                task.exception()


@asynccontextmanager
async def socket_session(
    gateway: Gateway, *, stall_s: float = STALL_S, limits: Mapping[str, float] = MappingProxyType({})
) -> AsyncIterator[SocketWire]:
    """A session on this gateway, served on loopback; nothing may be left of it afterwards."""
    surface = GrpcSurface(
        gateway,
        max_message_bytes=MAX_MESSAGE_BYTES,
        write_stall_s=stall_s,
        sessions=SessionSettings.model_validate(limits),
    )
    port = await surface.start("127.0.0.1", 0)
    sessions = surface._sessions
    try:
        async with channel_to(f"127.0.0.1:{port}") as channel:
            wire = SocketWire(surface, CompletionServiceStub(channel).Converse())
            try:
                yield wire
            finally:
                await wire.close()
            assert await becomes_true(lambda: len(sessions) == 0)
            assert sessions.kept_bytes == 0
    finally:
        await surface.stop()
