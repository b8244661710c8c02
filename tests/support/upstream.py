"""An OpenAI-speaking provider on a real socket that does what a test tells it to, byte by byte."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass
class Call:
    """One request that reached the provider."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the gateway has closed the connection while or after this call was answered."""

    @property
    def json(self) -> Any:  # noqa: ANN401 a JSON value is anything
        return orjson.loads(self.body)


class Answer:
    """What a script writes its answer with."""

    def __init__(self, call: Call, writer: asyncio.StreamWriter) -> None:
        self.call = call
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in (headers or {}).items()), "", ""]
        await self.send("\r\n".join(lines).encode())

    async def json(self, value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = value if isinstance(value, bytes) else orjson.dumps(value)
        base = {"content-type": "application/json", "content-length": str(len(body)), "x-request-id": "up-1"}
        await self.head(status, {**base, **(headers or {})})
        await self.send(body)

    async def start_stream(self, headers: Mapping[str, str] | None = None) -> None:
        base = {"content-type": "text/event-stream", "transfer-encoding": "chunked", "x-request-id": "up-1"}
        await self.head(200, {**base, **(headers or {})})

    async def piece(self, data: bytes) -> None:
        """One HTTP chunk."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def frame(self, value: object) -> None:
        data = value if isinstance(value, bytes) else orjson.dumps(value)
        await self.piece(b"data: " + data + b"\n\n")

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Closes the connection at once, by RST."""
        # Without lingering the system resets it; otherwise it would end it in good order.
        linger_s = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_s)
        self._writer.transport.abort()

    def hang_up(self) -> None:
        """Closes the connection in good order, whatever was said so far."""
        self._writer.close()

    def half_close(self) -> None:
        """Says that nothing more comes, and goes on to listen."""
        self._writer.write_eof()


Script = Callable[[Answer], Awaitable[None]]


@dataclass
class Upstream:
    """A running provider."""

    base_url: str
    script: Script
    calls: list[Call] = field(default_factory=list)
    open_connections: int = 0
    phase: str = ""
    """What a test calls the state that the script leads to."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """Wakes those who wait for calls or connections."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_calls(self, count: int) -> None:
        await self._wait(lambda: len(self.calls) >= count)

    async def wait_until_idle(self, open_connections: int = 0) -> None:
        await self._wait(lambda: self.open_connections <= open_connections)

    async def _wait(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                await self._changed.wait()


@asynccontextmanager
async def running_upstream(script: Script) -> AsyncIterator[Upstream]:
    """A provider that answers each POST by `script`; GET /v1/models lists "m"."""
    connections: set[asyncio.Task[None]] = set()
    upstream = Upstream("", script)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        upstream.open_connections += 1
        upstream.changed()
        try:
            await _serve_connection(upstream, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            upstream.open_connections -= 1
            upstream.changed()
            connections.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    upstream.base_url = f"http://{host}:{port}/v1"
    try:
        yield upstream
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _serve_connection(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    early = b""
    while True:
        head = early + await reader.readuntil(b"\r\n\r\n")
        request_line, *header_lines = head.decode("latin-1").split("\r\n")[:-2]
        method, path, _ = request_line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in header_lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        call = Call(method, path, headers, body)
        answer = Answer(call, writer)
        if method == "GET":
            early = b""
            await answer.json({"object": "list", "data": [{"id": "m", "object": "model"}]})
            continue
        upstream.calls.append(call)
        upstream.changed()
        script = asyncio.ensure_future(upstream.script(answer))
        # Reading on is how a closed connection shows while the script runs; a byte that comes after the answer is
        # the next request's first.
        next_byte = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((script, next_byte), return_when=asyncio.FIRST_COMPLETED)
            if next_byte.done() and not next_byte.result():
                call.closed.set()
                return
            await script
            if writer.is_closing():
                return
            early = await next_byte
            if not early:
                return
        except ConnectionError:
            call.closed.set()
            raise
        finally:
            for task in (script, next_byte):
                task.cancel()
            await asyncio.gather(script, next_byte, return_exceptions=True)
            upstream.changed()


# The answers that most tests want.

USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def chunk(delta: Mapping[str, object], *, finish_reason: str | None = None, **more: object) -> dict[str, object]:
    return {
        "id": "chatcmpl-up",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m-2026",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        **more,
    }


def completion(text: str, *, finish_reason: str = "stop", **message: object) -> dict[str, object]:
    return {
        "id": "chatcmpl-up",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m-2026",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish_reason}
        ],
        "usage": USAGE,
    }


def answers(text: str = "one two three") -> Script:
    """Answers as asked: whole, or a word a chunk."""

    async def script(answer: Answer) -> None:
        if answer.call.json.get("stream"):
            await streams(text.split(" "))(answer)
        else:
            await answer.json(completion(text))

    return script


def streams(words: Sequence[str], *, pause_s: float = 0.0, forever: bool = False) -> Script:
    """Streams the words; `forever` repeats them until the connection is closed."""

    async def script(answer: Answer) -> None:
        await answer.start_stream()
        await answer.frame(chunk({"role": "assistant", "content": ""}))
        while True:
            for index, word in enumerate(words):
                await answer.frame(chunk({"content": word if index == 0 else f" {word}"}))
                await asyncio.sleep(pause_s)
            if not forever:
                break
        await answer.frame(chunk({}, finish_reason="stop"))
        await answer.frame({**chunk({}), "choices": [], "usage": USAGE})
        await answer.frame(b"[DONE]")
        await answer.end_stream()

    return script


def fails(status: int, error: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Script:
    """Answers with an error of OpenAI's shape."""

    async def script(answer: Answer) -> None:
        await answer.json({"error": error}, status, headers)

    return script


def hangs() -> Script:
    """Takes the request and never answers."""

    async def script(answer: Answer) -> None:
        await asyncio.Event().wait()

    return script


def in_turn(*scripts: Script) -> Script:
    """Answers the first call by the first script, and so on; the last one stays."""
    count = 0

    async def script(answer: Answer) -> None:
        nonlocal count
        chosen = scripts[min(count, len(scripts) - 1)]
        count += 1
        await chosen(answer)

    return script
