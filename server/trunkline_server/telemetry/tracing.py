"""Traces: ids when a call comes in, spans once it has ended, and nothing in between.

OpenTelemetry is loaded only by a process that exports; see `start_tracing`.
"""

import logging
import os
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from trunkline.context import CallContext
from trunkline.trace import CallSpan, TraceIds
from trunkline.v1 import Failure
from trunkline_server.config.settings import TelemetrySettings
from trunkline_server.telemetry import outcomes
from trunkline_server.telemetry.capture import capture_of
from trunkline_server.telemetry.context import (
    bounded_tracestate,
    parse_traceparent,
    random_span_id,
    random_trace_id,
)
from trunkline_server.telemetry.otlp import endpoint_of, is_off, protocol_of, url_for
from trunkline_server.telemetry.peers import Peer
from trunkline_server.telemetry.sampling import FOLLOW_CALLER, Sampler, sampler_of
from trunkline_server.values.record import RequestRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger(__name__)

SHUTDOWN_TIMEOUT_S: Final = 5.0
DEFAULT_SLOW_S: Final = 30.0

SIGNAL: Final = "traces"


class Recorder(Protocol):
    """What becomes of sampled requests and calls once they have ended. It must not block."""

    @property
    def dropped(self) -> int:
        """Spans given up because too many wait."""
        ...

    @property
    def failed(self) -> int:
        """Spans that the backend did not take."""
        ...

    def take(self, record: RequestRecord) -> None:
        """A settled request that is to be recorded."""
        ...

    def take_call(self, span: CallSpan) -> None:
        """A call that a surface has answered and that is to be recorded."""
        ...

    async def shutdown(self, timeout_s: float) -> None:
        """Exports what is still held, for at most about `timeout_s`."""
        ...


class Tracing:
    """Gives each call and request its place in a trace and hands over what it was once it has ended.

    To the surfaces of a process that exports it is their `trunkline.trace.CallTracer`.
    """

    def __init__(
        self,
        recorder: Recorder | None = None,
        *,
        sampler: Sampler = FOLLOW_CALLER,
        rng: random.Random | None = None,
        slow_s: float = DEFAULT_SLOW_S,
    ) -> None:
        """Without a recorder nothing is recorded, but trace context is passed on all the same. `slow_s`: what takes
        longer is recorded even if the sampler's ratio leaves it out."""
        self._recorder = recorder
        self._sampler = sampler
        self._rng = rng or random.Random()  # noqa: S311 ids of traces are no secrets, and there are many of them
        self._slow_ns = slow_s * 1e9

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

    def begin(self, traceparent: str, tracestate: str, *, undecided: bool = False) -> TraceIds:
        """The place of what comes in with these headers, and whether it is recorded, fixed from here on.

        It goes on with the caller's trace; where the caller has none, or an invalid one, it begins a trace.
        """
        parent = parse_traceparent(traceparent) if traceparent else None
        if parent is None:
            trace_id, parent_id, parent_sampled, state = random_trace_id(self._rng), 0, None, ""
        else:
            trace_id, parent_id = parent.trace_id, parent.span_id
            parent_sampled = None if undecided else parent.sampled
            state = bounded_tracestate(tracestate) if tracestate else ""
        # Whose caller has left it to chance has had that chance.
        sampled = not undecided and self._sampler.samples(trace_id, parent_sampled=parent_sampled)
        left_open = not sampled and self._sampler.leaves_open(parent_sampled=parent_sampled)
        return TraceIds(trace_id, self.new_span_id(), parent_id, sampled, state, left_open)

    def admit(self, context: CallContext) -> TraceIds:
        """The request's place: under the span of the surface that took it, or else as `begin` says."""
        call = context.trace
        if call is None:
            return self.begin(context.traceparent, context.tracestate)
        return TraceIds(
            call.trace_id,
            self.new_span_id(),
            call.span_id,
            call.sampled,
            call.tracestate,
            call.undecided,
            parent_is_local=True,
        )

    def new_span_id(self) -> int:
        """For an attempt; see RequestRecord.attempt_span_ids."""
        return random_span_id(self._rng)

    def keeps(self, trace: TraceIds, *, failed: bool, duration_ns: int) -> bool:
        """Whether what has ended is recorded."""
        if self._recorder is None:
            return False
        return trace.sampled or (trace.undecided and (failed or duration_ns > self._slow_ns))

    def record(self, span: CallSpan) -> None:
        """Takes the span of a call that `keeps` has said yes to. Neither blocks nor raises."""
        try:
            if self._recorder is not None:
                self._recorder.take_call(span)
        except Exception:  # a defect here must not break a call that went well
            logger.exception("the span of a call could not be recorded")

    def settled(self, record: RequestRecord) -> None:
        """Records the request and its attempts, if they are to be. Neither blocks nor raises."""
        duration_ns = record.report.duration_us * 1000
        if self._recorder is None or not self.keeps(
            record.trace, failed=_failed(record.failure), duration_ns=duration_ns
        ):
            return
        try:
            self._recorder.take(record)
        except Exception:  # a defect here must not undo the settlement of a request that went well
            logger.exception("the spans of request %s could not be recorded", record.request_id)

    async def shutdown(self, timeout_s: float = SHUTDOWN_TIMEOUT_S) -> None:
        """Exports what is still held, for at most about `timeout_s`."""
        if self._recorder is not None:
            await self._recorder.shutdown(timeout_s)


def start_tracing(settings: TelemetrySettings, peers: Mapping[str, Peer]) -> Tracing:
    """The tracing that the settings and the OTEL_* variables ask for; without an endpoint nothing is exported.

    `peers` tells by a provider's name in the configuration whom its attempts go to. Exporting starts a thread, so call
    it in the process that answers requests. Raises TelemetryError.
    """
    environ = os.environ
    endpoint = endpoint_of(SIGNAL, settings.otlp_endpoint, environ)
    if not endpoint or is_off(SIGNAL, environ):
        return Tracing()
    exporter = _exporter(settings.otlp_endpoint, environ)
    from trunkline_server.telemetry.span_export import start_export  # noqa: PLC0415 loads the SDK

    return Tracing(
        start_export(exporter, settings.service_name, peers, content=capture_of(settings).in_spans),
        sampler=sampler_of(environ, keep_failures=settings.keep_failures),
        slow_s=settings.slow_request_s,
    )


def _failed(failure: Failure | None) -> bool:
    return outcomes.outcome(failure) == outcomes.FAILED


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
