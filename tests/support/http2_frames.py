"""A connection of HTTP/2 seen frame by frame, without a client's own ideas of what to tell. See RFC 9113."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

SETTINGS, PING, GOAWAY = 4, 6, 7
"""The numbers of frames; see section 6. A ping is answered with a ping."""
MAX_CONCURRENT_STREAMS = 3
"""The number of a setting; see section 6.5.2."""


class Frame(NamedTuple):
    """What came in."""

    kind: int
    payload: bytes


@dataclass
class Frames:
    """The frames of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def write(self, kind: int, payload: bytes = b"", *, times: int = 1) -> None:
        """Frames without flags, on stream 0."""
        self.writer.write((len(payload).to_bytes(3) + bytes([kind, 0, 0, 0, 0, 0]) + payload) * times)

    async def read(self) -> Frame:
        """The next frame."""
        head = await self.reader.readexactly(9)
        return Frame(head[3], await self.reader.readexactly(int.from_bytes(head[:3])))

    async def read_until(self, kind: int) -> bytes:
        """What the next frame of this kind holds."""
        while (frame := await self.read()).kind != kind:
            pass
        return frame.payload

    async def settings(self) -> dict[int, int]:
        """What the peer's settings say, by number."""
        payload = await self.read_until(SETTINGS)
        pairs = [payload[at : at + 6] for at in range(0, len(payload), 6)]
        return {int.from_bytes(pair[:2]): int.from_bytes(pair[2:]) for pair in pairs}


@asynccontextmanager
async def frames_to(address: str) -> AsyncIterator[Frames]:
    """A connection that has said hello; closed at the end, whatever happens on it."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    frames = Frames(reader, writer)
    try:
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        frames.write(SETTINGS)
        yield frames
    finally:
        writer.close()
        await writer.wait_closed()
