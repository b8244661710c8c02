"""The RPC Converse: a session's commands come in, its responses go out, both as bytes."""

import asyncio
from typing import cast

import grpc

from trunkline.context import CallContext
from trunkline.running import RunningCall, RunningCalls
from trunkline.v1 import ConverseRequest
from trunkline_server.rpc.call import Context, answer, parse
from trunkline_server.sessions.sessions import Sessions


def converse(sessions: Sessions, calls: RunningCalls) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """The handler of Converse."""

    # A coroutine that reads and writes, not an async generator, as for StreamComplete: see completion.py.
    async def handle(_: object, context: Context) -> None:
        async def read() -> ConverseRequest | None:
            # Typed as a message, but EOF after the last one.
            data = cast("object", await context.read())
            return parse(ConverseRequest, data) if isinstance(data, bytes) else None

        async def write(data: bytes) -> None:
            try:
                await context.write(data)
            except grpc.aio.InternalError:
                # The client is gone, and gRPC is about to cancel the call.
                raise asyncio.CancelledError from None

        async def work(caller: CallContext, call: RunningCall) -> None:
            await sessions.converse(caller, read, write)

        await answer(b"", context, calls, work)

    return grpc.stream_stream_rpc_method_handler(handle)
