"""What a handler cannot see of the time that a request takes: how long it lay there before, and how long it goes on."""

import asyncio
import time

from aiohttp import web

_REMEMBERED = 8


class _Line(asyncio.Protocol):
    """Stands between a connection and aiohttp's protocol, and knows when something came last."""

    __slots__ = ("_protocol", "received_s")

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol
        self.received_s = 0.0

    def data_received(self, data: bytes) -> None:
        self.received_s = time.monotonic()
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


def last_bytes_at(request: web.Request) -> float:
    """On the `time.monotonic` clock. Of a connection's first request it is now, for nobody has looked before."""
    transport = request.transport
    if transport is not None:
        protocol = transport.get_protocol()
        if isinstance(protocol, _Line):
            return protocol.received_s or time.monotonic()
        if protocol is request.protocol:
            transport.set_protocol(_Line(request.protocol))
    return time.monotonic()


class SendingTime:
    """How long it usually takes to send a small answer, which its own headers should count."""

    def __init__(self) -> None:
        self.mean_s = 0.0
        """Over the last few."""

    def add(self, seconds: float) -> None:
        """One was sent."""
        self.mean_s += (seconds - self.mean_s) / _REMEMBERED
