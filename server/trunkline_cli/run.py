"""Runs the surfaces: both around one core, the core alone, or the bridge alone."""

import asyncio
import gc
import logging
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from aiohttp import web

from trunkline.channel import ChannelGateway, open_channel
from trunkline.gateway import Gateway
from trunkline.trace import CallTracer
from trunkline_bridge.app import create_app, create_runner, drain_app
from trunkline_bridge.settings import ANY, BridgeSettings
from trunkline_cli.banner import banner, found_line
from trunkline_cli.certificates import served_certificates
from trunkline_cli.options import EXIT_STARTUP, RunOptions
from trunkline_server.app import Core, open_core
from trunkline_server.config.certificates import CertificateError
from trunkline_server.config.checks import is_loopback
from trunkline_server.config.settings import RestSettings, Settings
from trunkline_server.engine.vocabulary import VocabularyError
from trunkline_server.ledger.access_log import AccessLog
from trunkline_server.ledger.line_writer import LineWriter
from trunkline_server.rpc.server import GrpcSurface, ListenError
from trunkline_server.telemetry.logs import configure_logging
from trunkline_server.telemetry.otlp import TelemetryError
from trunkline_server.telemetry.tracing import start_tracing

log = logging.getLogger("trunkline")

# gRPC calls outlive the engine's own limit by this much at most, so that what the engine ends with a typed error is
# told before the calls are cut.
LAST_WORDS_S = 2.0

BACKLOG = 128
"""Connections that wait to be accepted."""

BRIDGE_SERVICE = "trunkline-bridge"
"""service.name of a bridge alone, so that one can tell it from its core in a trace."""


class StartupError(Exception):
    """The process cannot start; the text is the one line that the operator gets."""


def run_serve(settings: Settings, options: RunOptions) -> int:
    """REST and gRPC around a core in one process."""
    return _run(settings, _serve(settings, options))


def run_core(settings: Settings, options: RunOptions) -> int:
    """The core with gRPC only."""
    return _run(settings, _core(settings, options))


def run_bridge(core_address: str, settings: Settings, credentials: grpc.ChannelCredentials | None) -> int:
    """REST only, in front of a core elsewhere, which is reached in clear text unless there are credentials."""
    return _run(settings, _bridge(core_address, settings, credentials))


def bridge_settings(settings: Settings, *, keyless: bool) -> BridgeSettings:
    """What the configuration says of the REST surface. `keyless`: whoever reaches it may call."""
    rest, limits = settings.rest, settings.limits
    return BridgeSettings(
        early_headers_s=settings.rest.early_headers_s,
        heartbeat_s=settings.timeouts.heartbeat_s,
        write_stall_s=settings.timeouts.write_stall_s,
        max_request_bytes=limits.max_request_bytes,
        max_bytes_in_flight=limits.max_bytes_in_flight,
        max_messages=limits.max_messages,
        retry_after_s=limits.retry_after_s,
        cors_origins=rest.cors_origins,
        # A name that somebody else has lead here is none that the certificate is for.
        allowed_hosts=rest.allowed_hosts or ((rest.host,) if keyless and not rest.tls else (ANY,)),
        compress=rest.compression == "gzip",
    )


def _run(settings: Settings, main: Coroutine[Any, Any, None]) -> int:
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main)
    except (StartupError, ListenError, TelemetryError, CertificateError, VocabularyError) as error:
        print(f"trunkline: {error}", file=sys.stderr)
        return EXIT_STARTUP
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # not on every platform; the standard loop serves as well, at more CPU per request
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(settings: Settings, options: RunOptions) -> None:
    stopped = _stop_signal()
    surface = bridge_settings(settings, keyless=not settings.keys)
    async with (
        _core_process(settings) as core,
        _listening(core) as listening,
        _rest(core.engine, settings, surface, core.tracer) as rest,
    ):
        async with _discovery(core, options, own_ports={listening.port, rest.port}):
            _announce(banner(settings, rest_port=rest.port, grpc_port=listening.port))
            await stopped.wait()
        # REST stays up meanwhile: /readyz says 503 there, so that load balancers go elsewhere.
        await _drain(core, listening.surface)


async def _core(settings: Settings, options: RunOptions) -> None:
    stopped = _stop_signal()
    async with _core_process(settings) as core, _listening(core) as listening:
        async with _discovery(core, options, own_ports={listening.port}):
            _announce(banner(settings, grpc_port=listening.port))
            await stopped.wait()
        await _drain(core, listening.surface)


async def _bridge(core_address: str, settings: Settings, credentials: grpc.ChannelCredentials | None) -> None:
    stopped = _stop_signal()
    channel = open_channel(core_address, credentials=credentials, max_message_bytes=settings.limits.max_request_bytes)
    gateway = ChannelGateway(channel, address=core_address)
    # Whether there are keys is the core's business; what only this machine can reach is taken to have none.
    surface = bridge_settings(settings, keyless=is_loopback(settings.rest.host))
    async with (
        _log_lines(settings),
        channel,
        _bridge_tracer(settings) as tracer,
        _rest(gateway, settings, surface, tracer) as rest,
    ):
        _announce(banner(settings, rest_port=rest.port, core_address=core_address))
        await stopped.wait()
        await drain_app(rest.app, settings.timeouts.shutdown_grace_s)


def _stop_signal() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        log.info("shutting down; a second signal ends it at once")
        stopped.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopped


@asynccontextmanager
async def _log_lines(settings: Settings) -> AsyncIterator[LineWriter]:
    """The process's log, and the writer that the access log shares with it."""
    lines = LineWriter()
    handler = configure_logging(settings.log.level, lines)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)
        await lines.close()


@asynccontextmanager
async def _core_process(settings: Settings) -> AsyncIterator[Core]:
    async with _log_lines(settings) as lines, open_core(settings, AccessLog(lines, human=sys.stderr.isatty())) as core:
        yield core


@dataclass(frozen=True, slots=True)
class _Grpc:
    surface: GrpcSurface
    port: int


@asynccontextmanager
async def _listening(core: Core) -> AsyncIterator[_Grpc]:
    settings = core.settings.grpc
    async with served_certificates("grpc", settings.tls) as certificates:
        surface = core.grpc_surface()
        credentials = certificates.grpc_credentials() if certificates else None
        port = await surface.start(settings.host, settings.port, credentials)
        try:
            yield _Grpc(surface, port)
        finally:
            await surface.stop()


@dataclass(frozen=True, slots=True)
class _Rest:
    app: web.Application
    port: int


@asynccontextmanager
async def _bridge_tracer(settings: Settings) -> AsyncIterator[CallTracer | None]:
    """The bridge's own spans; those of requests are its core's."""
    telemetry = settings.telemetry
    if "service_name" not in telemetry.model_fields_set:
        telemetry = telemetry.model_copy(update={"service_name": BRIDGE_SERVICE})
    tracing = start_tracing(telemetry, {})
    try:
        yield tracing if tracing.exporting else None
    finally:
        await tracing.shutdown()


@asynccontextmanager
async def _rest(
    gateway: Gateway, settings: Settings, surface: BridgeSettings, tracer: CallTracer | None
) -> AsyncIterator[_Rest]:
    app = create_app(gateway, surface, tracer)
    runner = create_runner(app)
    await runner.setup()
    try:
        async with served_certificates("rest", settings.rest.tls) as certificates:
            server = await _bound(runner, settings.rest, certificates.ssl_context() if certificates else None)
            try:
                yield _Rest(app, server.sockets[0].getsockname()[1])
            finally:
                server.close()
    finally:
        await runner.cleanup()


async def _bound(runner: web.AppRunner, rest: RestSettings, context: ssl.SSLContext | None) -> asyncio.Server:
    """Listens by itself: aiohttp's own sites know no limit for handshakes."""
    if runner.server is None:  # set up it has one
        raise AssertionError
    try:
        return await asyncio.get_running_loop().create_server(
            runner.server,
            rest.host,
            rest.port,
            ssl=context,
            ssl_handshake_timeout=rest.tls.handshake_timeout_s if context else None,
            backlog=BACKLOG,
        )
    except OSError as error:
        raise StartupError(
            f"cannot listen for REST on {rest.host}:{rest.port}: {_reason(error)}; choose another address "
            "(rest.host, rest.port) or stop what has this one"
        ) from error


def _reason(error: OSError) -> str:
    """In the system's own words: asyncio's repeat the address."""
    return os.strerror(error.errno) if error.errno else str(error)


async def _drain(core: Core, surface: GrpcSurface) -> None:
    grace_s = core.settings.timeouts.shutdown_grace_s
    await asyncio.gather(core.engine.drain(grace_s), surface.drain(grace_s + LAST_WORDS_S))


@asynccontextmanager
async def _discovery(core: Core, options: RunOptions, *, own_ports: Collection[int]) -> AsyncIterator[None]:
    """Learns beside the serving what else there is to offer, and tells."""
    task = asyncio.create_task(_discover(core, options, own_ports))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def _discover(core: Core, options: RunOptions, own_ports: Collection[int]) -> None:
    if options.probe:
        for provider, ids in await core.add_local_engines(own_ports):
            _announce(found_line(provider.name, provider.base_url, ids))
    await core.list_models()
    # What start-up made lives as long as the process; the collector need not look at it again.
    gc.collect()
    gc.freeze()


def _announce(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
