"""The gRPC server: listens, answers from a gateway, and goes away in good order."""

import asyncio
import logging
import os
import socket
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc

from trunkline.gateway import Gateway
from trunkline.running import RunningCalls
from trunkline.trace import CallTracer
from trunkline_server.config.settings import SessionSettings
from trunkline_server.rpc import completion, models, operations, reflection
from trunkline_server.rpc.completion import completion_service
from trunkline_server.rpc.compression import PlainStreams
from trunkline_server.rpc.models import model_service
from trunkline_server.rpc.operations import operations_service
from trunkline_server.rpc.reflection import KeyedReflection
from trunkline_server.rpc.tracing import TracedService
from trunkline_server.sessions.sessions import Sessions

SERVICE_NAMES = (
    completion.SERVICE_NAME,
    models.SERVICE_NAME,
    operations.SERVICE_NAME,
    health.SERVICE_NAME,
    reflection.SERVICE_NAME,
)

DEFAULT_WRITE_STALL_S = 60.0
DEFAULT_HEARTBEAT_S = 15.0
DEFAULT_SESSIONS = SessionSettings()

# How long the last statuses may take to reach their clients once nothing runs any more.
_FLUSH_S = 1.0

_KIB = 1024
_OPTIONS: tuple[tuple[str, int], ...] = (
    # On by default, and then a second server binds the same port in silence.
    ("grpc.so_reuseport", 0),
    # Clients may ping while a model is silent, and between calls; core's default is once in 5 minutes, then GOAWAY.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.max_pings_without_data", 0),
    # A request's baggage alone may have 8 KiB, which is where core's default begins to refuse.
    ("grpc.max_metadata_size", 16 * _KIB),
    ("grpc.absolute_max_metadata_size", 32 * _KIB),
)

log = logging.getLogger(__name__)


class ListenError(OSError):
    """The gRPC port could not be bound; the text says which and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPolicy:
    """What is asked of connections, and how long they are kept. Times in seconds; None: no limit."""

    keepalive_s: float = 60
    """The server's own pings find clients that vanished without a word, so that their provider calls end."""
    keepalive_timeout_s: float = 20
    max_age_s: float | None = None
    max_age_grace_s: float = 600
    max_streams: int | None = None
    handshake_timeout_s: float = 20

    def options(self) -> tuple[tuple[str, int], ...]:
        """As gRPC takes them."""
        found = {
            "grpc.keepalive_time_ms": _ms(self.keepalive_s),
            "grpc.keepalive_timeout_ms": _ms(self.keepalive_timeout_s),
            # The one that counts: without it a ping may go unanswered for a minute, whatever the line above says.
            "grpc.http2.ping_timeout_ms": _ms(self.keepalive_timeout_s),
            "grpc.max_connection_age_ms": _ms(self.max_age_s),
            "grpc.max_connection_age_grace_ms": _ms(self.max_age_grace_s),
            "grpc.max_concurrent_streams": self.max_streams,
            "grpc.server_handshake_timeout_ms": _ms(self.handshake_timeout_s),
        }
        return tuple((name, value) for name, value in found.items() if value is not None)


DEFAULT_CONNECTIONS = ConnectionPolicy()


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))


class GrpcSurface:
    """Serves the contract, grpc.health.v1 and reflection from a gateway. Start it once, then drain or stop it."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        max_message_bytes: int,
        write_stall_s: float = DEFAULT_WRITE_STALL_S,
        heartbeat_s: float = DEFAULT_HEARTBEAT_S,
        connections: ConnectionPolicy = DEFAULT_CONNECTIONS,
        compress: bool = False,
        sessions: SessionSettings = DEFAULT_SESSIONS,
        tracer: CallTracer | None = None,
    ) -> None:
        """`max_message_bytes` counts for both directions, after decompression; a client that takes nothing for
        `write_stall_s` is cut, and one whose stream is silent for `heartbeat_s` gets a heartbeat. With `compress`
        answers of one message go compressed to clients that take it. `sessions` are the limits of sessions. `tracer`
        records each call of the contract."""
        self._gateway = gateway
        self._write_stall_s = write_stall_s
        self._heartbeat_s = heartbeat_s
        self._compress = compress
        self._tracer = tracer
        self._options = (
            *_OPTIONS,
            *connections.options(),
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
        )
        self._calls = RunningCalls()
        self._sessions = Sessions(gateway, sessions, write_stall_s=write_stall_s)
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(self, host: str, port: int, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listens on an address, in clear text unless there are credentials, and returns the port, which for 0 is a
        free one.

        Raises ListenError if that is not possible.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        await _check_bindable(host, port, address)
        server = grpc.aio.server(options=self._options, compression=grpc.Compression.Gzip if self._compress else None)
        server.add_generic_rpc_handlers(self._services())
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
            KeyedReflection(self._gateway, SERVICE_NAMES), server
        )
        try:
            if credentials is None:
                bound = server.add_insecure_port(address)
            else:
                bound = server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise ListenError(f"cannot listen for gRPC on {address}: {error}") from error
        await server.start()
        self._server = server
        for name in SERVICE_NAMES:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return bound

    def _services(self) -> tuple[grpc.GenericRpcHandler, ...]:
        completions = completion_service(
            self._gateway,
            self._calls,
            self._sessions,
            write_stall_s=self._write_stall_s,
            heartbeat_s=self._heartbeat_s,
        )
        models = model_service(self._gateway, self._calls)
        operations = operations_service(self._gateway, self._calls)
        if self._tracer is not None:
            # Operations are asked for every few seconds by machines, and never part of anybody's trace.
            completions, models = TracedService(completions, self._tracer), TracedService(models, self._tracer)
        services = (completions, models, operations)
        return tuple(map(PlainStreams, services)) if self._compress else services

    async def drain(self, grace_s: float) -> None:
        """Turns new calls away, lets running ones finish, and stops.

        Health says NOT_SERVING, clients get GOAWAY and go elsewhere. What still runs after `grace_s` ends with
        ShuttingDownError; give a gateway that ends its own requests a little less.
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        await self._health.enter_graceful_shutdown()
        async with asyncio.TaskGroup() as group:
            # Sends GOAWAY now; its own grace, after which it would cut calls off without a word, is never reached.
            stopping = group.create_task(server.stop(grace_s + 3 * _FLUSH_S))
            self._sessions.drain(grace_s)
            await self._calls.drain(grace_s, _FLUSH_S)
            await asyncio.wait({stopping}, timeout=_FLUSH_S)
            # Whoever watches health or asks reflection would stay for ever.
            await server.stop(None)

    async def stop(self) -> None:
        """Drains without grace."""
        await self.drain(0)


async def _check_bindable(host: str, port: int, address: str) -> None:
    """Asks the operating system first: it says why not, where gRPC only says that, and writes to stderr."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, sockaddr in found:
            with socket.socket(family, kind, protocol) as probe:
                if os.name == "posix":
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(sockaddr)
    except OSError as error:
        raise ListenError(
            f"cannot listen for gRPC on {address}: {error.strerror or error}; "
            "choose another address (grpc.host, grpc.port) or stop what has this one"
        ) from error
