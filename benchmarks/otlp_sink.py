"""Where the gateway's spans go while it is measured: an OTLP service that takes everything and reads nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import grpc

_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"


class OtlpSink:
    """What has come in so far."""

    def __init__(self) -> None:
        self.host = ""
        """Where it listens, as HOST:PORT."""
        self.exports = 0

    async def take(self, batch: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        """One export; the empty message says that all of it was accepted."""
        self.exports += 1
        return b""


@asynccontextmanager
async def otlp_sink() -> AsyncIterator[OtlpSink]:
    """One that listens on a free port of 127.0.0.1, in this event loop."""
    sink = OtlpSink()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    export: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(sink.take)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": export}),))
    sink.host = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield sink
    finally:
        await server.stop(None)
