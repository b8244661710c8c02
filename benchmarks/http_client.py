"""An HTTP/1.1 client on a bare asyncio protocol: one keep-alive connection, one request at a time."""

import asyncio
import time
from typing import Final, Protocol, cast

_LENGTH: Final = b"content-length: "
_CHUNKED: Final = b"transfer-encoding: chunked"
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"


class LoadError(Exception):
    """What is measured did not answer as it should, so the figures would mean nothing."""


class Receiver(Protocol):
    """Whoever sends over a connection and is told how it went."""

    def answered(self, connection: "Connection") -> None:
        """The answer is complete; the connection may send the next request."""
        ...

    def failed(self, error: LoadError) -> None:
        """The answer is not a success, or the connection is gone."""
        ...


class Connection(asyncio.Protocol):
    """Sends prepared requests; of an answer it looks at the status and at where it ends, and keeps the rest not."""

    def __init__(self, receiver: Receiver) -> None:
        self.sent_at = 0.0
        """When the last request was handed to the socket, on the `time.perf_counter` clock."""
        self._receiver = receiver
        self._in_head = True
        self._chunked = False
        self._left = 0
        self._kept = b""
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closing:
            self._receiver.failed(LoadError("the connection was closed"))

    def send(self, request: bytes) -> None:
        """Sends a whole HTTP request; the one before must have been answered."""
        self.sent_at = time.perf_counter()
        self._in_head = True
        self._transport.write(request)

    def close(self) -> None:
        """Closes at once, whatever is under way."""
        self._closing = True
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            data = self._kept + data
            if (body := self._take_head(data)) is None:
                self._kept = data
                return
            self._in_head, self._kept = False, b""
            data = body
        if self._chunked:
            data = self._kept + data
            self._kept = data[-len(_LAST_CHUNK) :]
            over = self._kept == _LAST_CHUNK
        else:
            self._left -= len(data)
            over = self._left <= 0
        if over:
            self._kept = b""
            if not self._closing:
                self._receiver.answered(self)

    def _take_head(self, data: bytes) -> bytes | None:
        """What stands behind the head; None if that is not complete."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = data[:end].lower()
        if not head.startswith(b"http/1.1 200"):
            self._receiver.failed(LoadError(f"the answer is {data[:300]!r}"))
            self.close()
        self._chunked = _CHUNKED in head
        if not self._chunked:
            at = head.find(_LENGTH)
            self._left = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
        return data[end + 2 :] if self._chunked else data[end + 4 :]


async def connect(host: str, receiver: Receiver) -> Connection:
    """A connection to HOST:PORT."""
    address, _, port = host.rpartition(":")
    _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(receiver), address, int(port))
    return connection
