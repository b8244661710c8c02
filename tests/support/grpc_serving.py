"""A gateway served over gRPC on a free port of loopback, and a look at whether its calls leave anything behind."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import grpc

from trunkline.caller import channel_options
from trunkline.gateway import Gateway
from trunkline_server.rpc.server import (
    DEFAULT_CONNECTIONS,
    DEFAULT_HEARTBEAT_S,
    DEFAULT_WRITE_STALL_S,
    ConnectionPolicy,
    GrpcSurface,
)

MAX_MESSAGE_BYTES = 1024 * 1024


@asynccontextmanager
async def served(
    gateway: Gateway,
    *,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    write_stall_s: float = DEFAULT_WRITE_STALL_S,
    heartbeat_s: float = DEFAULT_HEARTBEAT_S,
    connections: ConnectionPolicy = DEFAULT_CONNECTIONS,
    compress: bool = False,
) -> AsyncIterator[str]:
    """The address at which the gateway is served."""
    surface = GrpcSurface(
        gateway,
        max_message_bytes=max_message_bytes,
        write_stall_s=write_stall_s,
        heartbeat_s=heartbeat_s,
        connections=connections,
        compress=compress,
    )
    port = await surface.start("127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await surface.stop()


@asynccontextmanager
async def channel_to(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel with a connection of its own."""
    options = (*channel_options(MAX_MESSAGE_BYTES), ("grpc.use_local_subchannel_pool", 1))
    async with grpc.aio.insecure_channel(address, options) as channel:
        yield channel


async def becomes_true(claim: Callable[[], bool], *, within_s: float = 2.0) -> bool:
    """Whether the claim holds, now or soon."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not claim():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True


@asynccontextmanager
async def no_task_left_behind() -> AsyncIterator[None]:
    """Fails if, soon after its block, more tasks run than before it."""
    before, count = asyncio.all_tasks(), count_tasks(asyncio.all_tasks())
    yield
    # By number: gRPC's server waits for its next call in ever new tasks.
    gone = await becomes_true(lambda: count_tasks(asyncio.all_tasks()) <= count)
    assert gone, asyncio.all_tasks() - before


def count_tasks(tasks: Collection[asyncio.Task[object]]) -> int:
    """Without those of clients that watch the server's health as long as they are connected: two for each."""
    return len(tasks) - 2 * sum("grpc.health.v1.Health/Watch" in task.get_name() for task in tasks)
