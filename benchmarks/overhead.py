"""Whether x-trunkline-overhead-ms is true: beside what a client measures, with a provider that takes 200 ms."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import median
from typing import Final, NamedTuple

from benchmarks import systems
from benchmarks.figures import Limit
from benchmarks.http_client import LoadError
from benchmarks.payloads import chat_answer, chat_request

DELAY_S: Final = 0.2
REQUESTS: Final = 40
WARM_UP: Final = 5
ALLOWED_SHARE: Final = 0.1
ALLOWED_MS: Final = 0.3
_MS: Final = 1e3
_HEADER: Final = re.compile(rb"x-trunkline-overhead-ms: ([0-9.]+)", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


async def overhead(core: int, rounds: int, tell: Callable[[str], None]) -> list[Limit]:
    """The median error of the header as a share of what is allowed, in one process and split.

    Allowed are 10 % or 0.3 ms, whichever is more. What a client sees of the gateway is the time of a call through it,
    less that of one straight to the provider, less what the provider itself took of each.
    """
    whole = Limit("overhead header, error / allowed", "x", bar=1)
    split = Limit("overhead header, split, error / allowed", "x", bar=1)
    async with slow_upstream() as upstream:
        with (
            systems.gateway(upstream.host, core=core) as gateway,
            systems.bridge(gateway.grpc_host, core=core) as bridge,
        ):
            for _ in range(rounds):
                for error, name, host in ((whole, "whole", gateway.host), (split, "split", bridge.host)):
                    direct_ms = median(answer.beyond_ms for answer in await _answers(upstream.host, upstream))
                    answers = await _answers(host, upstream)
                    seen = [answer.beyond_ms - direct_ms for answer in answers]
                    told = [answer.header_ms for answer in answers]
                    error.values.append(
                        median(
                            abs(header - true) / max(true * ALLOWED_SHARE, ALLOWED_MS)
                            for header, true in zip(told, seen, strict=True)
                        )
                    )
                    tell(
                        f"overhead, {name}: header {median(told):.2f} ms, client {median(seen):.2f} ms, "
                        f"direct {direct_ms:.2f} ms"
                    )
    return [whole, split]


class Answer(NamedTuple):
    """What a client saw of one call."""

    beyond_ms: float
    """How long it took beyond the provider's own time."""
    header_ms: float
    """What the header said; 0: there was none."""


async def _answers(host: str, upstream: "SlowUpstream") -> list[Answer]:
    """One call after the other over one connection."""
    address, _, port = host.rpartition(":")
    reader, writer = await asyncio.open_connection(address, int(port))
    request = chat_request(host, stream=False)
    found = []
    try:
        for _ in range(WARM_UP + REQUESTS):
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length, header = _LENGTH.search(head), _HEADER.search(head)
            if length is None or not head.startswith(b"HTTP/1.1 200"):
                raise LoadError(f"the answer is {head[:300]!r}")
            await reader.readexactly(int(length[1]))
            total_s = time.perf_counter() - began
            found.append(Answer((total_s - upstream.took_s) * _MS, float(header[1]) if header else 0.0))
    finally:
        writer.close()
    return found[WARM_UP:]


class SlowUpstream:
    """Answers each request after DELAY_S."""

    host = ""
    took_s = 0.0
    """From the last byte of the last request to handing its answer to the socket."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        body = chat_answer()
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                began = time.perf_counter()
                await asyncio.sleep(DELAY_S)
                self.took_s = time.perf_counter() - began
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def slow_upstream() -> AsyncIterator[SlowUpstream]:
    """One on a free port of 127.0.0.1, in this event loop."""
    upstream = SlowUpstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    upstream.host = f"{host}:{port}"
    try:
        yield upstream
    finally:
        server.close()
