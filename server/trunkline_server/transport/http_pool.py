"""Connections to providers over HTTP/1.1: each carries one exchange after the other, and waits for the next in a pool."""

import asyncio
import time
from typing import Final, cast

from trunkline_server.transport.dialing import Dialer, Origin
from trunkline_server.transport.http_exchange import HttpExchange

KEEP_S: Final = 30.0
"""How long a connection that nobody uses is kept."""


class HttpPool:
    """All connections of the process to its providers, by where they lead."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._open: set[HttpConnection] = set()
        self._idle: dict[Origin, list[HttpConnection]] = {}
        """The one used last stands last, and is used next: so the others grow old and are closed."""
        self._sweep: asyncio.TimerHandle | None = None

    def take(self, origin: Origin) -> "HttpConnection | None":
        """One that was used before; None: there is none."""
        waiting = self._idle.get(origin)
        while waiting:
            connection = waiting.pop()
            if not connection.closing:
                return connection
        return None

    async def connect(self, origin: Origin) -> "HttpConnection":
        """A new one. Raises UnreachableError."""
        began_ns = time.monotonic_ns()
        connection = await self._dialer.dial(origin, lambda: HttpConnection(self, origin))
        connection.connect_ns = time.monotonic_ns() - began_ns
        return connection

    def close(self) -> None:
        """Ends all connections, whatever is under way."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in list(self._open):
            connection.abort()

    # What connections tell.

    def made(self, connection: "HttpConnection") -> None:
        """It is open."""
        self._open.add(connection)

    def lost(self, connection: "HttpConnection") -> None:
        """It is not any more."""
        self._open.discard(connection)
        waiting = self._idle.get(connection.origin)
        if waiting and connection in waiting:
            waiting.remove(connection)

    def give_back(self, connection: "HttpConnection") -> None:
        """It waits for its next exchange."""
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        waiting = self._idle.get(connection.origin)
        if waiting is None:
            waiting = self._idle[connection.origin] = []
        waiting.append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(KEEP_S, self._close_old)

    def _close_old(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEEP_S
        for origin, waiting in list(self._idle.items()):
            for connection in [found for found in waiting if found.idle_since <= oldest]:
                waiting.remove(connection)
                connection.end()
            if not waiting:
                del self._idle[origin]
        # Looked at half as often again, no connection waits for much longer than it should.
        self._sweep = loop.call_later(KEEP_S / 2, self._close_old) if self._idle else None


class HttpConnection(asyncio.Protocol):
    """One connection; implements `Carrier`. An exchange begins with `send` and ends with `release`."""

    __slots__ = ("_exchange", "_pool", "_reading", "_transport", "connect_ns", "idle_since", "origin")

    def __init__(self, pool: HttpPool, origin: Origin) -> None:
        self.origin = origin
        self.connect_ns = 0
        self.idle_since = 0.0
        """On the loop's clock."""
        self._pool = pool
        self._exchange: HttpExchange | None = None
        self._reading = True

    @property
    def closing(self) -> bool:
        """Whether it can carry nothing more."""
        return self._transport.is_closing()

    def send(self, head: bytes, body: bytes) -> HttpExchange:
        """Sends a request and gives the exchange that its answer will come to."""
        exchange = self._exchange = HttpExchange(self)
        if len(body) <= _SMALL_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        exchange.sent_ns = time.monotonic_ns()
        return exchange

    def abort(self) -> None:
        """Ends it at once."""
        self._transport.abort()

    def end(self) -> None:
        """Ends it in good order."""
        self._transport.close()

    # Of Carrier.

    def pause(self) -> None:
        self._reading = False
        self._transport.pause_reading()

    def resume(self) -> None:
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()

    def release(self, *, reusable: bool) -> None:
        self._exchange = None
        self.connect_ns = 0
        # A provider may answer before it has taken the request; what is left of that is in the way of the next.
        if reusable and not self._transport.is_closing() and not self._transport.get_write_buffer_size():
            self.resume()
            self._pool.give_back(self)
        else:
            self._transport.abort()

    # Of asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._pool.made(self)

    def data_received(self, data: bytes) -> None:
        if self._exchange is not None:
            self._exchange.received(data)
        else:  # nobody has asked for anything
            self._transport.abort()

    def resume_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.sent_ns = time.monotonic_ns()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.lost(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.lost()


_SMALL_BYTES: Final = 64 * 1024
