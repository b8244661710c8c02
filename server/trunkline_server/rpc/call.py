"""What every RPC has in common: its context is read, its failures become statuses."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Never, TypeVar, cast
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError, Message

from trunkline.context import CallContext, is_request_id, new_request_id
from trunkline.errors import GatewayError, InvalidRequestError
from trunkline.metadata import REQUEST_ID, from_metadata
from trunkline.running import RunningCall, RunningCalls
from trunkline.status import status_code, status_message, trailers
from trunkline_server.rpc.tracing import PLACE
from trunkline_server.telemetry.defect import report_defect

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Answer = TypeVar("Answer")

# Messages come and go as bytes: so a message that cannot be read is refused by us and not by gRPC, as UNKNOWN.
Context = grpc.aio.ServicerContext[bytes, bytes]

log = logging.getLogger(__name__)


def unary(
    request_type: type[Request],
    ask: Callable[[Request, CallContext], Awaitable[Response]],
    calls: RunningCalls,
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """The handler of an RPC with one request and one response."""

    async def handle(data: bytes, context: Context) -> bytes:
        async def work(caller: CallContext, call: RunningCall) -> bytes:
            response = await ask(parse(request_type, data), caller)
            return response.SerializeToString()

        return await answer(data, context, calls, work)

    return grpc.unary_unary_rpc_method_handler(handle)


async def answer(
    data: bytes,
    context: Context,
    calls: RunningCalls,
    work: Callable[[CallContext, RunningCall], Awaitable[Answer]],
    *,
    on_failure: Callable[[GatewayError], Awaitable[None]] | None = None,
) -> Answer:
    """Does one RPC's work, and ends the RPC with the status of whatever it raises.

    `on_failure` may write last messages before the status. A client that is gone cancels the work.
    """
    caller = CallContext()
    try:
        try:
            caller = read_context(context, size_bytes=len(data))
            # In the trailers, because metadata of its own would cost a whole operation more; a stream's `started`
            # event tells the id at once.
            context.set_trailing_metadata(((REQUEST_ID, caller.request_id),))
            with RunningCall(calls) as call:
                return await work(caller, call)
        except GatewayError as error:
            failure = error
        except grpc.aio.InternalError:
            raise
        except Exception as error:  # noqa: BLE001 whatever it is, the client gets a typed status
            failure = report_defect(log, error, caller.request_id)
        if on_failure is not None:
            await on_failure(failure)
        await abort(context, failure, caller.request_id)
    except grpc.aio.InternalError:
        # gRPC could not send: the client is gone, and gRPC is about to cancel this task.
        raise asyncio.CancelledError from None


async def abort(context: Context, error: GatewayError, request_id: str = "") -> Never:
    """Ends the RPC with the status of the error."""
    named = ((REQUEST_ID, request_id),) if request_id else ()
    await context.abort(status_code(error), status_message(error), (*named, *trailers(error)))


def read_context(context: Context, *, size_bytes: int = 0) -> CallContext:
    """Who calls, until when, and as part of which trace. It always has a request id that may be logged."""
    # Typed as a number, but None where the client set no deadline.
    remaining_s = cast("float | None", context.time_remaining())
    found = from_metadata(
        context.invocation_metadata() or (),
        deadline=None if remaining_s is None else time.monotonic() + remaining_s,
        client_address=peer_ip(context.peer()),
        size_bytes=size_bytes,
        trace=PLACE.get(),
    )
    return found if is_request_id(found.request_id) else replace(found, request_id=new_request_id())


def parse(request_type: type[Request], data: bytes) -> Request:
    """The message, or InvalidRequestError: these bytes are of another type, or a string in them is not UTF-8."""
    try:
        return request_type.FromString(data)
    except DecodeError:
        name = request_type.DESCRIPTOR.full_name
        raise InvalidRequestError.at_field(
            "request", f"is not a readable {name}: the bytes are cut or another message's, or a string is not UTF-8"
        ) from None


def peer_ip(peer: str) -> str:
    """The address in gRPC's name of a peer, such as "ipv4:10.0.0.7:51234"; empty if it has none.

    See https://github.com/grpc/grpc/blob/master/doc/naming.md.
    """
    kind, _, address = unquote(peer).partition(":")
    return address.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else ""
