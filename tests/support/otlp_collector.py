"""An OpenTelemetry collector in this process: the real OTLP service over gRPC and over HTTP, on loopback."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

# opentelemetry/proto/trace/v1/trace.proto, SpanFlags: whether the parent lives in another process.
_IS_REMOTE = 0x200


@dataclass
class OtlpCollector:
    """What arrived, and how it behaves."""

    grpc_endpoint: str = ""
    http_endpoint: str = ""
    """Without the path of a signal."""
    batches: list[ExportTraceServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """What came with each batch."""
    metric_batches: list[ExportMetricsServiceRequest] = field(default_factory=list)
    log_batches: list[ExportLogsServiceRequest] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, every export waits."""
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def resource_spans(self) -> list[ResourceSpans]:
        return [group for batch in self.batches for group in batch.resource_spans]

    @property
    def scope_spans(self) -> list[ScopeSpans]:
        return [scope for group in self.resource_spans for scope in group.scope_spans]

    @property
    def spans(self) -> list[Span]:
        """In the order they came."""
        return [span for scope in self.scope_spans for span in scope.spans]

    @property
    def metrics(self) -> list[Metric]:
        """Those of the last push, whose sums run since the start."""
        return [
            metric
            for group in self.metric_batches[-1].resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
        ]

    @property
    def logs(self) -> list[LogRecord]:
        """In the order they came."""
        return [
            record
            for batch in self.log_batches
            for group in batch.resource_logs
            for scope in group.scope_logs
            for record in scope.log_records
        ]

    async def wait_for_spans(self, count: int, timeout_s: float = 5.0) -> list[Span]:
        """The spans, once there are as many."""
        async with asyncio.timeout(timeout_s):
            while len(self.spans) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.spans

    async def take(self, batch: ExportTraceServiceRequest, headers: dict[str, str]) -> ExportTraceServiceResponse:
        """One export, by whichever protocol it came."""
        await self.answering.wait()
        self.batches.append(batch)
        self.headers.append(headers)
        self._arrived.set()
        return ExportTraceServiceResponse()


@asynccontextmanager
async def running_collector() -> AsyncIterator[OtlpCollector]:
    """A collector that listens on free ports of 127.0.0.1 for both protocols."""
    collector = OtlpCollector()
    collector.answering.set()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_TraceServiceServicer_to_server(_GrpcTraces(collector), server)  # type: ignore[no-untyped-call]  # generated
    add_MetricsServiceServicer_to_server(_GrpcMetrics(collector), server)  # type: ignore[no-untyped-call]  # generated
    add_LogsServiceServicer_to_server(_GrpcLogs(collector), server)  # type: ignore[no-untyped-call]  # generated
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    collector.grpc_endpoint = f"http://127.0.0.1:{port}"
    application = web.Application()
    http = _Http(collector)
    application.router.add_post("/v1/traces", http.traces)
    application.router.add_post("/v1/metrics", http.metrics)
    application.router.add_post("/v1/logs", http.logs)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.http_endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        collector.answering.set()
        await runner.cleanup()
        await server.stop(grace=0)


def plain_span(span: Span) -> dict[str, Any]:
    """A span as JSON would have it, all its members named, for comparing whole."""
    return {
        "name": span.name,
        "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "parent_is_remote": bool(span.flags & _IS_REMOTE),
        "trace_state": span.trace_state,
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "status": Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        "status_message": span.status.message,
        "attributes": plain_attributes(span.attributes),
        "events": [
            {"name": event.name, "ns": event.time_unix_nano, "attributes": plain_attributes(event.attributes)}
            for event in span.events
        ],
        "links": [link.span_id.hex() for link in span.links],
    }


def plain_attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes by name, sorted."""
    return {pair.key: _plain_value(pair.value) for pair in sorted(pairs, key=lambda pair: pair.key)}


def _plain_value(value: AnyValue) -> Any:  # noqa: ANN401 text, number, boolean or a list of them
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


class _GrpcTraces(TraceServiceServicer):
    def __init__(self, collector: OtlpCollector) -> None:
        self._collector = collector

    async def Export(
        self,
        request: ExportTraceServiceRequest,
        context: "grpc.aio.ServicerContext[ExportTraceServiceRequest, ExportTraceServiceResponse]",
    ) -> ExportTraceServiceResponse:
        metadata = context.invocation_metadata() or ()
        headers = {key: value for key, value in metadata if isinstance(value, str)}
        return await self._collector.take(request, headers)


class _GrpcMetrics(MetricsServiceServicer):
    def __init__(self, collector: OtlpCollector) -> None:
        self._collector = collector

    async def Export(self, request: ExportMetricsServiceRequest, context: object) -> ExportMetricsServiceResponse:
        self._collector.metric_batches.append(request)
        return ExportMetricsServiceResponse()


class _GrpcLogs(LogsServiceServicer):
    def __init__(self, collector: OtlpCollector) -> None:
        self._collector = collector

    async def Export(self, request: ExportLogsServiceRequest, context: object) -> ExportLogsServiceResponse:
        self._collector.log_batches.append(request)
        return ExportLogsServiceResponse()


class _Http:
    def __init__(self, collector: OtlpCollector) -> None:
        self._collector = collector

    async def traces(self, request: web.Request) -> web.Response:
        batch = ExportTraceServiceRequest.FromString(await request.read())
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = await self._collector.take(batch, headers)
        return _answer(answer.SerializeToString())

    async def metrics(self, request: web.Request) -> web.Response:
        self._collector.metric_batches.append(ExportMetricsServiceRequest.FromString(await request.read()))
        return _answer(b"")

    async def logs(self, request: web.Request) -> web.Response:
        self._collector.log_batches.append(ExportLogsServiceRequest.FromString(await request.read()))
        return _answer(b"")


def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/x-protobuf")
