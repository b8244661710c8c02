"""CompletionService: whole and streamed answers, sessions, and what answers would take."""

from contextlib import aclosing

import grpc

from trunkline.context import CallContext
from trunkline.errors import InvalidRequestError
from trunkline.gateway import Gateway
from trunkline.running import RunningCall, RunningCalls
from trunkline.v1 import CompleteRequest, CountTokensRequest, StreamCompleteRequest
from trunkline.v1.completion_service_pb2 import DESCRIPTOR
from trunkline_server.rpc.call import Context, answer, parse, unary
from trunkline_server.rpc.sessions import converse
from trunkline_server.rpc.writer import BatchWriter
from trunkline_server.sessions.sessions import Sessions

SERVICE_NAME = DESCRIPTOR.services_by_name["CompletionService"].full_name


def completion_service(
    gateway: Gateway, calls: RunningCalls, sessions: Sessions, *, write_stall_s: float, heartbeat_s: float
) -> grpc.GenericRpcHandler:
    """Serves CompletionService from a gateway."""
    return grpc.method_handlers_generic_handler(
        SERVICE_NAME,
        {
            "Complete": unary(CompleteRequest, gateway.complete, calls),
            "StreamComplete": _stream_complete(gateway, calls, write_stall_s=write_stall_s, heartbeat_s=heartbeat_s),
            "Converse": converse(sessions, calls),
            "CountTokens": unary(CountTokensRequest, gateway.count_tokens, calls),
        },
    )


def _stream_complete(
    gateway: Gateway, calls: RunningCalls, *, write_stall_s: float, heartbeat_s: float
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    # A coroutine that writes, not an async generator: gRPC does not close a generator that is suspended in a yield
    # when the RPC is cancelled, and the provider's call would run on.
    async def handle(data: bytes, context: Context) -> None:
        writer = BatchWriter(context, stall_s=write_stall_s, heartbeat_s=heartbeat_s)

        async def work(caller: CallContext, call: RunningCall) -> None:
            request = parse(StreamCompleteRequest, data)
            if not request.HasField("request"):
                raise InvalidRequestError.at_field("request", "is required; nothing was asked for")
            writer.watch(call)
            async with aclosing(gateway.stream(request.request, caller)) as batches:
                async for batch in batches:
                    await writer.write(batch)
            writer.check_finished()

        try:
            await answer(data, context, calls, work, on_failure=writer.write_failure)
        finally:
            writer.close()

    return grpc.unary_stream_rpc_method_handler(handle)
