"""Backends for telemetry that are away, slow or mute: requests go on, what is lost is counted, and the end comes soon."""

import asyncio
import gc
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import pytest
from aiohttp import web

from metrics_page import figure, figures_of
from openai_client import HELLO, openai_client
from running_gateway import running_gateway, settings_for
from settled_records import fallback
from trunkline_server.config.settings import TelemetrySettings
from trunkline_server.telemetry.tracing import start_tracing
from upstream import answers, running_upstream

REQUESTS = 20
PATIENCE_S = 10.0
"""Far more than anything here takes, and far less than a backend is waited for."""


@asynccontextmanager
async def away() -> AsyncIterator[str]:
    """Connecting is refused."""
    with socket.socket() as reserved:  # bound, but not listening
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


@asynccontextmanager
async def hangs_on_connect() -> AsyncIterator[str]:
    """Its queue of connections is full and nobody takes any."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}"
        for each in waiting:
            each.close()


@asynccontextmanager
async def mute() -> AsyncIterator[str]:
    """Takes connections and whatever comes, and says nothing."""
    connections: list[asyncio.StreamWriter] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while await reader.read(65536):
            pass

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for each in connections:
        each.close()
        with suppress(ConnectionError):
            await each.wait_closed()


@asynccontextmanager
async def refuses() -> AsyncIterator[str]:
    """Speaks HTTP and wants nothing of it; to gRPC that is no answer at all."""

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=503)

    application = web.Application()
    application.router.add_post("/{path:.*}", refuse)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


BACKENDS = {found.__name__: found for found in (away, hangs_on_connect, mute, refuses)}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("backend", BACKENDS)
async def test_requests_go_on_and_the_end_comes_soon(
    backend: str, protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
    monkeypatch.setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "16")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
    monkeypatch.setattr("trunkline_server.app.SHUTDOWN_TIMEOUT_S", 0.2)
    opened: AbstractAsyncContextManager[str] = BACKENDS[backend]()
    async with opened as endpoint, running_upstream(answers()) as up, asyncio.timeout(PATIENCE_S):
        settings = settings_for({"a": up.base_url}, telemetry={"otlp_endpoint": endpoint, "logs": True})
        async with running_gateway(settings) as gateway, openai_client(gateway) as client:
            for _ in range(REQUESTS):
                await client.chat.completions.create(model="m", messages=HELLO)
            figures = await figures_of(gateway)
        lost = {
            what: figure(figures, f"trunkline_{what}_dropped_total") + figure(figures, f"trunkline_{what}_failed_total")
            for what in ("spans", "log_records")
        }
    # A request has three spans and two lines; a queue takes sixteen, and a batch is under way.
    assert lost["spans"] >= 3 * REQUESTS - 32 - 3
    assert lost["log_records"] >= 2 * REQUESTS - 32 - 3
    assert "spans were not exported" in caplog.text
    assert "log records were not exported" in caplog.text


async def test_memory_stays_as_it_is_while_a_backend_is_mute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    async with mute() as endpoint:
        tracing = start_tracing(TelemetrySettings(otlp_endpoint=endpoint), {})
        tracemalloc.start()
        try:
            sizes = []
            for _ in range(3):
                for _ in range(1000):
                    tracing.settled(fallback())
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
            await tracing.shutdown(timeout_s=0.1)
    assert tracing.dropped_spans >= 3 * 3000 - 64 - 32
    # Two thousand requests more are some six thousand spans of about 2 KB each.
    assert sizes[2] - sizes[0] < 100_000
