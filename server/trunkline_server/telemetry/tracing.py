"""Traces of requests: ids at admission, spans at settlement, and nothing in between.

OpenTelemetry is loaded only by a process that exports; see `start_tracing`.
"""

import logging
import os
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from trunkline.context import CallContext
from trunkline_server.config.settings import TelemetrySettings
from trunkline_server.telemetry.context import (
    bounded_tracestate,
    parse_traceparent,
    random_span_id,
    random_trace_id,
)
from trunkline_server.telemetry.instruments import Bins
from trunkline_server.telemetry.metrics import Metrics
from trunkline_server.telemetry.otlp import endpoint_of, is_off, protocol_of, url_for
from trunkline_server.telemetry.peers import Peer
from trunkline_server.telemetry.sampling import FOLLOW_CALLER, Sampler, sampler_of
from trunkline_server.values.record import RequestRecord, TraceIds

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger(__name__)

SHUTDOWN_TIMEOUT_S = 5.0

SIGNAL = "traces"


class Recorder(Protocol):
    """What becomes of sampled requests once they are settled. It must not block."""

    dropped: int
    """Spans given up because too many wait."""

    @property
    def failed(self) -> int:
        """Spans that the backend did not take."""
        ...

    def take(self, record: RequestRecord) -> None:
        """A settled request that is sampled."""
        ...

    async def shutdown(self, timeout_s: float) -> None:
        """Exports what is still held, for at most about `timeout_s`."""
        ...


class Tracing:
    """Gives each request its place in a trace and hands over what it was once it is settled."""

    def __init__(
        self,
        recorder: Recorder | None = None,
        *,
        sampler: Sampler = FOLLOW_CALLER,
        rng: random.Random | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`metrics` count every settled request, recorded or not. Without a recorder nothing is recorded, but trace context is passed on all the same."""
        self._recorder = recorder
        self._metrics = metrics
        self._sampler = sampler
        self._rng = rng or random.Random()  # noqa: S311 ids of traces are no secrets, and there are many of them

    @property
    def exporting(self) -> bool:
        """Whether spans go anywhere."""
        return self._recorder is not None

    @property
    def dropped_spans(self) -> int:
        """Spans given up so far because the backend did not keep up."""
        return self._recorder.dropped if self._recorder else 0

    @property
    def failed_spans(self) -> int:
        """Spans that the backend did not take so far."""
        return self._recorder.failed if self._recorder else 0

    def admit(self, context: CallContext) -> TraceIds:
        """The request's ids and whether it is recorded, fixed from here on.

        It goes on with the caller's trace; where the caller has none, or an invalid one, it begins a trace.
        """
        parent = parse_traceparent(context.traceparent) if context.traceparent else None
        if parent is None:
            trace_id = random_trace_id(self._rng)
            return TraceIds(trace_id, self.new_span_id(), 0, self._sampler.samples(trace_id, parent_sampled=None))
        return TraceIds(
            parent.trace_id,
            self.new_span_id(),
            parent.span_id,
            self._sampler.samples(parent.trace_id, parent_sampled=parent.sampled),
            bounded_tracestate(context.tracestate) if context.tracestate else "",
        )

    def new_span_id(self) -> int:
        """For an attempt; see RequestRecord.attempt_span_ids."""
        return random_span_id(self._rng)

    def chunks_of(self, provider: str, model: str) -> Sequence[Bins]:
        """Where the seconds between two chunks of a target's stream are counted; see RequestMetrics.chunks_of."""
        return () if self._metrics is None else self._metrics.requests.chunks_of(provider, model)

    def settled(self, record: RequestRecord) -> None:
        """Counts the request, and records it and its attempts if they are sampled. Neither blocks nor raises."""
        if self._metrics is not None:
            self._metrics.settled(record)
        if self._recorder is None or not record.trace.sampled:
            return
        try:
            self._recorder.take(record)
        except Exception:  # a defect here must not undo the settlement of a request that went well
            logger.exception("the spans of request %s could not be recorded", record.request_id)

    async def shutdown(self, timeout_s: float = SHUTDOWN_TIMEOUT_S) -> None:
        """Exports what is still held, for at most about `timeout_s`."""
        if self._recorder is not None:
            await self._recorder.shutdown(timeout_s)


def start_tracing(settings: TelemetrySettings, peers: Mapping[str, Peer], metrics: Metrics | None = None) -> Tracing:
    """The tracing that the settings and the OTEL_* variables ask for; without an endpoint nothing is exported.

    `peers` tells by a provider's name in the configuration whom its attempts go to. Exporting starts a thread, so call
    it in the process that answers requests. Raises TelemetryError.
    """
    environ = os.environ
    endpoint = endpoint_of(SIGNAL, settings.otlp_endpoint, environ)
    if not endpoint or is_off(SIGNAL, environ):
        return Tracing(metrics=metrics)
    exporter = _exporter(settings.otlp_endpoint, environ)
    from trunkline_server.telemetry.export import start_export  # noqa: PLC0415 loads the SDK

    return Tracing(start_export(exporter, settings.service_name, peers), sampler=sampler_of(environ), metrics=metrics)


def _exporter(endpoint: str, environ: Mapping[str, str]) -> "SpanExporter":
    """By the protocol asked for; an empty endpoint and all else the exporters read from OTEL_EXPORTER_OTLP_*."""
    return _EXPORTERS[protocol_of(SIGNAL, environ)](endpoint)


def _grpc_exporter(endpoint: str) -> "SpanExporter":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 loads the SDK

    return OTLPSpanExporter(endpoint=endpoint or None)


def _http_exporter(endpoint: str) -> "SpanExporter":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 loads the SDK

    return OTLPSpanExporter(endpoint=url_for(SIGNAL, endpoint))


_EXPORTERS = {"grpc": _grpc_exporter, "http/protobuf": _http_exporter}
