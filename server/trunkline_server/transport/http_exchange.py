"""One answer of a provider over HTTP/1.1, from its bytes as they arrive to the pieces that are read."""

import asyncio
import time
import zlib
from collections.abc import Mapping
from typing import Final, Protocol

import httptools

from trunkline.errors import ProviderBadAnswerError
from trunkline_server.transport.inflation import ENCODINGS, Inflation
from trunkline_server.transport.unreachable import CLOSED, UNREADABLE, UnreachableError

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of status and headers together, and of whatever else that is not the body; some providers send long ones, such as
content security policies."""
MAX_HELD_BYTES: Final = 256 * 1024
"""A provider that sends faster than it is read is made to wait once this much is held."""

_BROKEN: Final = "the provider's answer broke off"
_PLAIN: Final = frozenset(("", "identity"))
_FINAL: Final = 200


class Carrier(Protocol):
    """The connection that an exchange runs over."""

    connect_ns: int
    """How long connecting took; 0 for a connection that was used before."""

    def pause(self) -> None:
        """Takes nothing more from the provider for now."""
        ...

    def resume(self) -> None:
        """Takes on."""
        ...

    def release(self, *, reusable: bool) -> None:
        """The exchange is over: the connection may take the next one, or ends."""
        ...


class DeadConnectionError(UnreachableError):
    """A connection that ended before a byte of the answer came."""


class HttpExchange:
    """Implements `Exchange`. Its connection feeds it by `received` and `lost`; the parser calls what begins with `on_`.

    What was received before an answer breaks is given before the error is raised; what `fail` says comes first.
    """

    __slots__ = (
        "_broken",
        "_carrier",
        "_connect_ns",
        "_discarding",
        "_ended",
        "_failure",
        "_fields",
        "_framed",
        "_head_bytes",
        "_held_bytes",
        "_in_body",
        "_inflation",
        "_keep_alive",
        "_lingering",
        "_loop",
        "_parser",
        "_paused",
        "_pieces",
        "_surplus",
        "_unframed_bytes",
        "_waiter",
        "first_ns",
        "headers",
        "resent",
        "sent_ns",
        "status",
        "waited_ns",
    )

    def __init__(self, carrier: Carrier) -> None:
        self.status = 0
        self._fields: dict[str, str] = {}
        self.headers: Mapping[str, str] = self._fields
        self.resent = False
        self.waited_ns = 0
        self.sent_ns = 0
        """When the last byte of the request was handed to the system."""
        self.first_ns = 0
        """When the first byte of the answer came; 0 before."""
        self._carrier: Carrier | None = carrier
        self._connect_ns = carrier.connect_ns
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._in_body = False
        """Whether the head is complete."""
        self._head_bytes = 0
        self._framed = False
        """Whether the answer says where it ends; otherwise its connection's end is its own."""
        self._ended = False
        """Whether all of it has been received."""
        self._keep_alive = False
        self._surplus = False
        """Whether something followed it that nobody asked for."""
        self._unframed_bytes = 0
        """How much came since the last piece of the body."""
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._discarding = False
        """Whether nobody reads the rest."""
        self._lingering: asyncio.TimerHandle | None = None
        self._paused = False
        self._inflation: Inflation | None = None
        self._broken: Exception | None = None
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def began(self) -> None:
        """Waits for the status and the headers. Raises UnreachableError if they do not come."""
        while not self._in_body:
            if self._failure is not None:
                raise self._failure
            if self._broken is not None:
                raise self._broken
            await self._wait()
        self.waited_ns = max(0, self.first_ns - self.sent_ns) + self._connect_ns

    async def read(self) -> bytes:
        while True:
            if self._failure is not None:
                raise self._failure
            pieces = self._pieces
            if pieces:
                data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pieces.clear()
                self._held_bytes = 0
                if self._paused and self._carrier is not None:
                    self._paused = False
                    self._carrier.resume()
                if self._inflation is None:
                    return data
                if found := self._inflated(self._inflation, data):
                    return found
            elif self._inflation is not None and not self._inflation.idle:
                if found := self._inflated(self._inflation, b""):
                    return found
            elif self._broken is not None:
                raise self._broken
            elif self._ended:
                if self._inflation is not None:
                    self._close_inflation(self._inflation)
                return b""
            else:
                # As `_wait` does, without its coroutine: this is awaited for each event.
                self._waiter = waiter = self._loop.create_future()
                try:
                    await waiter
                finally:
                    self._waiter = None

    def fail(self, error: Exception) -> None:
        self._failure = error
        self._give_up()
        self._wake()

    def close(self, *, linger_s: float = 0) -> None:
        if self._carrier is None:
            return
        if linger_s <= 0:
            self._give_up()
            return
        self._discarding = True
        self._pieces.clear()
        self._held_bytes = 0
        if self._paused:
            self._paused = False
            self._carrier.resume()
        self._lingering = self._loop.call_later(linger_s, self._give_up)

    # What the connection tells.

    def received(self, data: bytes) -> None:
        """The next bytes of the answer."""
        if not self.first_ns:
            self.first_ns = time.monotonic_ns()
        self._unframed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._ended:
                self._break(error)
                return
            self._surplus = True
        if self._ended:
            self._release(reusable=self._keep_alive and not self._surplus)
        elif self._unframed_bytes > MAX_HEAD_BYTES:
            self._break(None)
        elif self._held_bytes > MAX_HELD_BYTES and not self._paused and self._carrier is not None:
            self._paused = True
            self._carrier.pause()
        self._wake()

    def lost(self) -> None:
        """The connection has ended."""
        self._carrier = None
        self._end_lingering()
        if self._ended:
            return
        if self._in_body and not self._framed:
            self._ended = True
        elif self._broken is None:
            if self._in_body:
                self._broken = ProviderBadAnswerError(_BROKEN)
            else:
                self._broken = UnreachableError(CLOSED) if self.first_ns else DeadConnectionError(CLOSED)
        self._wake()

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Of this answer, of one that says that it is still to come, or of one that nobody asked for."""
        if self._ended:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which is passed over. Of several with one name the first counts."""
        if not self._in_body:
            self._head_bytes += len(name) + len(value)
            self._fields.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """All headers were told."""
        if self._ended:
            return
        status = self._parser.get_status_code()
        headers = self._fields
        if status < _FINAL:  # such as 100 Continue: the answer is still to come
            headers.clear()
            return
        if self._head_bytes > MAX_HEAD_BYTES:
            self._broken = UnreachableError(UNREADABLE)
            return
        self.status = status
        self._in_body = True
        self._framed = "content-length" in headers or headers.get("transfer-encoding", "").endswith("chunked")
        encoding = headers.get("content-encoding", "").lower()
        if encoding in ENCODINGS:
            self._inflation = Inflation(encoding)
        elif encoding not in _PLAIN:
            self._discarding = True
            self._broken = ProviderBadAnswerError(f"{_BROKEN}: it is compressed in a way that was not asked for")

    def on_body(self, piece: bytes) -> None:
        """A piece of the body, without what frames it."""
        if self._ended:
            return
        self._unframed_bytes = 0
        if not self._discarding:
            self._pieces.append(piece)
            self._held_bytes += len(piece)

    def on_message_complete(self) -> None:
        """The end of the answer by its own framing."""
        if self._in_body and not self._ended:
            self._ended = True
            self._keep_alive = self._parser.should_keep_alive()

    async def _wait(self) -> None:
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _break(self, error: Exception | None) -> None:
        """What came is no HTTP, or more than is taken."""
        self._broken = ProviderBadAnswerError(_BROKEN) if self._in_body else UnreachableError(UNREADABLE)
        self._broken.__cause__ = error
        self._give_up()
        self._wake()

    def _give_up(self) -> None:
        self._release(reusable=False)

    def _release(self, *, reusable: bool) -> None:
        carrier, self._carrier = self._carrier, None
        self._end_lingering()
        if carrier is not None:
            carrier.release(reusable=reusable)

    def _end_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def _inflated(self, inflation: Inflation, data: bytes) -> bytes:
        try:
            return inflation.feed(data)
        except zlib.error as error:
            self._broken = ProviderBadAnswerError(_BROKEN)
            self._give_up()
            raise self._broken from error

    def _close_inflation(self, inflation: Inflation) -> None:
        try:
            inflation.close()
        except zlib.error as error:
            raise ProviderBadAnswerError(_BROKEN) from error
