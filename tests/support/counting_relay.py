"""A TCP relay on loopback that counts what comes back: what a message costs on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass
class Relay:
    """Where it is, and what it has carried."""

    address: str = ""
    received_bytes: int = 0


@asynccontextmanager
async def counting_relay(address: str) -> AsyncIterator[Relay]:
    """Leads to `address`."""
    host, _, port = address.rpartition(":")
    relay = Relay()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                relay.received_bytes += len(data) if count else 0
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(carry(reader, back, count=False), carry(there, writer, count=True))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    async with server:
        relay.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield relay
