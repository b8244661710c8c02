"""A provider that costs next to nothing: HTTP/1.1 on a bare asyncio protocol, every byte it sends made beforehand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast

from benchmarks.payloads import CHUNKS_AROUND, PATH, chat_answer, stream_frames

_POST: Final = f"POST {PATH} ".encode()
_LENGTH: Final = b"content-length: "
_LAST_CHUNK: Final = b"0\r\n\r\n"
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nx-request-id: req_bench\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class MockUpstream:
    """Answers chat completions: whole ones at once, streamed ones a word at a time."""

    def __init__(self, *, words: int, words_per_s: float) -> None:
        """`words` for each stream; each stream keeps its own time, so that streams are not in step."""
        self.host = ""
        """Where it listens, as HOST:PORT."""
        self.words_sent = 0
        self.interval_s = 1 / words_per_s
        body = chat_answer()
        self.whole = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_bench\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.chunks = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in stream_frames(words)]
        # One write each for what stands around the words: the head with the role, the finish reason with all after it.
        self.chunks[0] = _STREAM_HEAD + self.chunks[0]
        end = 1 - CHUNKS_AROUND
        self.chunks[end:] = [b"".join((*self.chunks[end:], _LAST_CHUNK))]


@asynccontextmanager
async def mock_upstream(*, words: int, words_per_s: float) -> AsyncIterator[MockUpstream]:
    """One that listens on a free port of 127.0.0.1, in this event loop."""
    upstream = MockUpstream(words=words, words_per_s=words_per_s)
    loop = asyncio.get_running_loop()
    connections: set[asyncio.Transport] = set()
    server = await loop.create_server(lambda: _Connection(upstream, connections), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    upstream.host = f"{host}:{port}"
    try:
        yield upstream
    finally:
        server.close()
        for transport in list(connections):
            transport.abort()
        await server.wait_closed()


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: MockUpstream, connections: set[asyncio.Transport]) -> None:
        self._upstream = upstream
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._next = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._transport)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head_end = received.find(b"\r\n\r\n")
        if head_end < 0:
            self._received = received
            return
        head = received[:head_end].lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(received) < head_end + 4 + length:
            self._received = received
            return
        self._received = b""
        if not received.startswith(_POST):
            self._transport.write(_NOT_FOUND)
        elif b'"stream":true' in received:
            self._next, self._due = 0, self._loop.time()
            self._send_chunk()
        else:
            self._transport.write(self._upstream.whole)

    def _send_chunk(self) -> None:
        upstream = self._upstream
        chunks, number = upstream.chunks, self._next
        self._transport.write(chunks[number])
        self._next = number = number + 1
        if number == len(chunks):
            self._timer = None
            return
        if number > 1:
            upstream.words_sent += 1
        self._due += upstream.interval_s
        self._timer = self._loop.call_at(self._due, self._send_chunk)
