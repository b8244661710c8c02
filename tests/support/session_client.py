"""A session with a whole gateway on a real socket, as a client has it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpc_serving import becomes_true, channel_to
from running_gateway import RunningGateway
from session_socket import SocketWire
from trunkline.metadata import AUTHORIZATION
from trunkline.v1 import CompletionServiceStub


@asynccontextmanager
async def session_with(gateway: RunningGateway, *, key: str = "", **metadata: str) -> AsyncIterator[SocketWire]:
    """One session; whatever becomes of it, the gateway must have nothing left of it afterwards."""
    headers = tuple(metadata.items())
    if key:
        headers += ((AUTHORIZATION, f"Bearer {key}"),)
    async with channel_to(gateway.grpc_address) as channel:
        wire = SocketWire(gateway.surface, CompletionServiceStub(channel).Converse(metadata=headers))
        try:
            yield wire
        finally:
            await wire.close()
    assert await becomes_true(lambda: len(wire.sessions) == 0)
    admission = gateway.core.engine.admission
    assert await becomes_true(lambda: (admission.requests, admission.size_bytes) == (0, 0))
    assert gateway.core.engine._runs == set()
