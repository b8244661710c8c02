"""Compressed answers, but not where a stream's many small messages would only cost time."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import grpc

_Behavior = Callable[[Any, Any], Awaitable[Any]]


class PlainStreams(grpc.GenericRpcHandler):
    """A service on a server that compresses, whose streamed answers go as they are. Its handlers are coroutines."""

    def __init__(self, service: grpc.GenericRpcHandler) -> None:
        self._service = service
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The handler of a method; None if the service has no such method."""
        method = details.method
        found = self._handlers.get(method)
        if found is None:
            handler = self._service.service(details)
            if handler is None:
                return None
            found = self._handlers[method] = _plain(handler)
        return found


def _plain(handler: "grpc.RpcMethodHandler[Any, Any]") -> "grpc.RpcMethodHandler[Any, Any]":
    for shape, make in _STREAMS.items():
        if (behavior := getattr(handler, shape)) is not None:
            return make(_with_plain_writes(behavior))
    return handler


_STREAMS: Final[Mapping[str, Callable[[Any], "grpc.RpcMethodHandler[Any, Any]"]]] = {
    "unary_stream": grpc.unary_stream_rpc_method_handler,
    "stream_stream": grpc.stream_stream_rpc_method_handler,
}


def _with_plain_writes(behavior: _Behavior) -> _Behavior:
    async def answer(request: Any, context: "grpc.aio.ServicerContext[bytes, bytes]") -> Any:  # noqa: ANN401 of any method
        return await behavior(request, _PlainContext(context))

    return answer


class _PlainContext:
    """An RPC's context, but for how messages are written."""

    def __init__(self, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 whatever the context has
        return getattr(self._context, name)

    async def write(self, message: bytes) -> None:
        # gRPC forgets it with each message.
        self._context.disable_next_message_compression()
        await self._context.write(message)
