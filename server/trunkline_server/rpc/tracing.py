"""The span of each RPC: its place is fixed before the handler runs, and it is made when the RPC has ended.

Attributes: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

import grpc

from trunkline.trace import UNDECIDED, CallSpan, CallTracer, TraceIds

PLACE: ContextVar[TraceIds | None] = ContextVar("PLACE", default=None)
"""The span of the RPC that runs in this context; None: it has none. gRPC runs each in a context of its own."""

# What the conventions count as the server's fault.
_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

_Behavior = Callable[[Any, Any], Awaitable[Any]]


class TracedService(grpc.GenericRpcHandler):
    """A service whose every RPC has a span. Its handlers must be coroutines, also those that stream."""

    def __init__(self, service: grpc.GenericRpcHandler, tracer: CallTracer) -> None:
        self._service = service
        self._tracer = tracer
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The handler of a method; None if the service has no such method."""
        method = details.method
        found = self._handlers.get(method)
        if found is None:
            handler = self._service.service(details)
            if handler is None:
                return None
            found = self._handlers[method] = self._traced(method.removeprefix("/"), handler)
        return found

    def _traced(self, method: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> "grpc.RpcMethodHandler[Any, Any]":
        for shape, make in _SHAPES.items():
            if (behavior := getattr(handler, shape)) is not None:
                return make(
                    _with_span(behavior, method, self._tracer),
                    request_deserializer=handler.request_deserializer,
                    response_serializer=handler.response_serializer,
                )
        raise TypeError(f"{method} has no behavior")


_SHAPES: Final = {
    "unary_unary": grpc.unary_unary_rpc_method_handler,
    "unary_stream": grpc.unary_stream_rpc_method_handler,
    "stream_unary": grpc.stream_unary_rpc_method_handler,
    "stream_stream": grpc.stream_stream_rpc_method_handler,
}


def _with_span(behavior: _Behavior, method: str, tracer: CallTracer) -> _Behavior:
    async def answer(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:  # noqa: ANN401 of any method
        started_ns, began = time.time_ns(), time.monotonic_ns()
        headers = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
        place = tracer.begin(
            headers.get("traceparent", ""), headers.get("tracestate", ""), undecided=UNDECIDED in headers
        )
        PLACE.set(place)
        code: grpc.StatusCode | None = grpc.StatusCode.OK
        try:
            return await behavior(request, context)
        except asyncio.CancelledError:
            code = None  # the client left, and nobody is told a status
            raise
        except BaseException:
            code = _code_of(context)
            raise
        finally:
            duration_ns = time.monotonic_ns() - began
            failed = code is not None and code is not grpc.StatusCode.OK
            if tracer.keeps(place, failed=failed, duration_ns=duration_ns):
                tracer.record(_span(place, method, started_ns, duration_ns, code))

    return answer


def _code_of(context: "grpc.aio.ServicerContext[Any, Any]") -> grpc.StatusCode:
    """The status that an RPC was ended with."""
    found: Any = context.code()  # a number, or a StatusCode
    if isinstance(found, grpc.StatusCode):
        return found
    return _CODES.get(found, grpc.StatusCode.UNKNOWN) if found else grpc.StatusCode.UNKNOWN


def _span(place: TraceIds, method: str, started_ns: int, duration_ns: int, code: grpc.StatusCode | None) -> CallSpan:
    attributes: dict[str, str | int] = {"rpc.system.name": "grpc", "rpc.method": method}
    if code is not None:
        attributes["rpc.response.status_code"] = code.name
    return CallSpan(
        trace=place,
        name=method,
        started_ns=started_ns,
        duration_ns=duration_ns,
        attributes=attributes,
        error_type=code.name if code in _FAULTS and code is not None else "",
    )
