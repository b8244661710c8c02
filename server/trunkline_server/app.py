"""The composition root: makes a running core of settings. The only file that wires the rooms together."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from trunkline.errors import GatewayError
from trunkline.trace import CallTracer
from trunkline_server.cache.reasoning_store import ReasoningStore
from trunkline_server.config.settings import ModelSettings, ProviderSettings, Settings
from trunkline_server.dialects.registry import COUNTERS, DIALECTS
from trunkline_server.engine.engine import Engine
from trunkline_server.engine.estimate import TokenEstimator
from trunkline_server.engine.observed import observe
from trunkline_server.engine.vocabulary import load_vocabulary
from trunkline_server.governance.keys import KeyRing
from trunkline_server.ledger.exported_log import ExportedLog
from trunkline_server.ledger.ledger import Ledger
from trunkline_server.ledger.notable_log import NotableLog
from trunkline_server.providers.google import cloud_url
from trunkline_server.providers.kinds import KINDS
from trunkline_server.providers.model_book import ModelBook
from trunkline_server.providers.price_list import PriceLists
from trunkline_server.providers.target import Provider
from trunkline_server.providers.target_facts import ModelKnowledge
from trunkline_server.routing.catalog import Catalog
from trunkline_server.routing.health import ProcessHealth
from trunkline_server.routing.policy import HealthPolicy, Policy
from trunkline_server.rpc.server import ConnectionPolicy, GrpcSurface
from trunkline_server.telemetry.capture import capture_of
from trunkline_server.telemetry.exported_logs import exports_lines, start_log_export
from trunkline_server.telemetry.metrics import start_metrics
from trunkline_server.telemetry.peers import Peer, peers_of
from trunkline_server.telemetry.telemetry import Telemetry
from trunkline_server.telemetry.tracing import SHUTDOWN_TIMEOUT_S, start_tracing
from trunkline_server.transport.discovery import probe_local_engines
from trunkline_server.transport.echo import EchoTransport
from trunkline_server.transport.http import HttpTransport
from trunkline_server.transport.listing import list_model_ids
from trunkline_server.transport.media_fetcher import MediaFetcher

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from trunkline_server.telemetry.log_export import LogExport

HTTP = "http"
ECHO = "echo"
LISTING_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Core:
    """A core that answers calls, and the ways to learn what more it can offer."""

    engine: Engine
    http: HttpTransport
    settings: Settings
    tracer: CallTracer | None
    """For the surfaces; None: no spans go anywhere."""
    _peers: dict[str, Peer]

    def grpc_surface(self) -> GrpcSurface:
        """The gRPC surface around the engine, not yet listening."""
        grpc = self.settings.grpc
        return GrpcSurface(
            self.engine,
            connections=ConnectionPolicy(
                keepalive_s=grpc.keepalive_s,
                keepalive_timeout_s=grpc.keepalive_timeout_s,
                max_age_s=grpc.max_connection_age_s,
                max_age_grace_s=grpc.max_connection_age_grace_s,
                max_streams=grpc.max_streams_per_connection,
                handshake_timeout_s=grpc.tls.handshake_timeout_s,
            ),
            compress=grpc.compression == "gzip",
            max_message_bytes=self.settings.limits.max_request_bytes,
            write_stall_s=self.settings.timeouts.write_stall_s,
            heartbeat_s=self.settings.timeouts.heartbeat_s,
            sessions=self.settings.sessions,
            tracer=self.tracer,
        )

    async def add_local_engines(self, own_ports: Collection[int]) -> list[tuple[Provider, list[str]]]:
        """Offers the inference servers that answer on their usual ports of this machine, and tells which."""
        found = await probe_local_engines(self.http.session, KINDS.values(), own_ports)
        fresh = [(provider, ids) for provider, ids in found if provider.name not in self.engine.catalog.providers]
        for provider, ids in fresh:
            self.engine.catalog = self.engine.catalog.offering(provider, ids)
            self._peers.update(peers_of([provider]))
        return fresh

    async def list_models(self) -> None:
        """Asks each provider whose models are not configured what it has; one that does not tell keeps its name."""
        asked = [
            provider
            for name, provider in self.engine.catalog.providers.items()
            if name in self.settings.providers
            and not self.settings.providers[name].models
            and provider.kind.transport == HTTP
            and provider.kind.listing_path
        ]
        await asyncio.gather(*(self._list_models_of(provider) for provider in asked))

    async def _list_models_of(self, provider: Provider) -> None:
        try:
            ids = await list_model_ids(self.http.session, provider, LISTING_TIMEOUT_S)
        except GatewayError as error:
            log.warning("provider %s did not list its models: %s", provider.name, error.message)
            return
        self.engine.catalog = self.engine.catalog.offering(provider, ids)
        log.info("provider %s offers %d models", provider.name, len(ids))


@asynccontextmanager
async def open_core(settings: Settings, ledger: Ledger) -> AsyncIterator[Core]:
    """A core by these settings. Leaving it writes out the ledger and traces; drain the engine first."""
    providers = _providers(settings)
    peers = peers_of(providers)
    metrics = start_metrics(settings.telemetry, peers)
    tracing = start_tracing(settings.telemetry, peers)
    capture = capture_of(settings.telemetry)
    logs = start_log_export(settings.telemetry, peers, events=capture.in_events)
    ledger = NotableLog(ledger, slow_s=settings.telemetry.slow_request_s)
    handler: logging.Handler | None = None
    if logs is not None and exports_lines(settings.telemetry):
        ledger = ExportedLog(ledger, logs)
        handler = _export_log(logs)
    health = ProcessHealth(_health_policy(settings))
    try:
        async with HttpTransport(connect_timeout_s=settings.timeouts.connect_s) as http, _media(settings) as media:
            engine = Engine(
                catalog=_catalog(settings, providers),
                keys=KeyRing(settings.keys),
                dialects=DIALECTS,
                counters=COUNTERS,
                transports={HTTP: http, ECHO: EchoTransport()},
                limits=settings.limits,
                health=health,
                ledger=ledger,
                telemetry=Telemetry(tracing, metrics, capture=capture, events=logs),
                estimator=_estimator(settings),
                media=media,
                reasoning=ReasoningStore(
                    max_bytes=settings.reasoning_store.max_bytes, ttl_s=settings.reasoning_store.ttl_s
                ),
                metrics_page=metrics.page,
            )
            observe(metrics, engine, health, tracing, logs)
            for provider in providers:
                http.prepare(provider)
            yield Core(engine, http, settings, tracing if tracing.exporting else None, peers)
    finally:
        await ledger.close()
        if handler is not None:
            logging.getLogger().removeHandler(handler)
        # At once, for where one backend hangs they all may.
        async with asyncio.TaskGroup() as ending:
            ending.create_task(tracing.shutdown(SHUTDOWN_TIMEOUT_S))
            ending.create_task(metrics.shutdown(SHUTDOWN_TIMEOUT_S))
            if logs is not None:
                ending.create_task(logs.shutdown(SHUTDOWN_TIMEOUT_S))


def _media(settings: Settings) -> AbstractAsyncContextManager[MediaFetcher | None]:
    return MediaFetcher(settings.media) if settings.media.fetch else nullcontext()


def _estimator(settings: Settings) -> TokenEstimator:
    return TokenEstimator(load_vocabulary() if settings.tokens.estimate == "vocabulary" else None)


def _export_log(export: "LogExport") -> logging.Handler:
    from trunkline_server.telemetry.log_export import ExportHandler  # noqa: PLC0415 loads the SDK

    handler = ExportHandler(export)
    logging.getLogger().addHandler(handler)
    return handler


def _providers(settings: Settings) -> list[Provider]:
    found = [_provider(name, provider) for name, provider in settings.providers.items()]
    if settings.echo:
        found.append(Provider(name=ECHO, kind=KINDS[ECHO], base_url=KINDS[ECHO].base_url))
    return found


def _provider(name: str, settings: ProviderSettings) -> Provider:
    kind = KINDS[settings.kind]
    return Provider(
        name=name,
        kind=kind,
        base_url=(settings.base_url or kind.base_url or _cloud_url(settings)).rstrip("/"),
        api_keys=settings.api_keys or ((settings.api_key,) if settings.api_key else ()),
        headers=settings.headers,
        api_version=settings.api_version or "",
        credentials_file=settings.google_cloud.credentials_file,
        send_trace_context=settings.send_trace_context,
        send_baggage=settings.send_baggage,
    )


def _cloud_url(settings: ProviderSettings) -> str:
    return cloud_url(settings.google_cloud.project, settings.google_cloud.location)


def _catalog(settings: Settings, providers: Collection[Provider]) -> Catalog:
    routes = {name: model.targets for name, model in settings.models.items()}
    offers = {name: provider.models for name, provider in settings.providers.items() if provider.models}
    closed = list(offers)
    if settings.echo:
        routes.setdefault(ECHO, (f"{ECHO}/{ECHO}",))
    owners = {name: model.owner for name, model in settings.models.items() if model.owner}
    return Catalog(
        providers,
        routes=routes,
        offers=offers,
        owners=owners,
        closed=closed,
        settings=settings.targets,
        policies={name: _policy(settings, model) for name, model in settings.models.items()},
        policy=_policy(settings, None),
        knowledge=ModelKnowledge(ModelBook(), PriceLists()),
    )


def _policy(settings: Settings, model: ModelSettings | None) -> Policy:
    """What is allowed for requests of a configured model, or of any other."""
    common = {**settings.retries.model_dump(), **settings.timeouts.model_dump()}
    own = {} if model is None else model.model_dump(exclude_none=True)
    names = [field.name for field in fields(Policy)]
    return Policy(**{name: value for name in names if (value := own.get(name, common.get(name))) is not None})


def _health_policy(settings: Settings) -> HealthPolicy:
    found = {**settings.retries.model_dump(), **settings.breaker.model_dump()}
    return HealthPolicy(**{field.name: found[field.name] for field in fields(HealthPolicy) if field.name in found})
