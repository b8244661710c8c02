"""Takes the spans of what has ended to an OTLP backend, off the path and within bounds.

Importing this module loads OpenTelemetry's SDK, so only a process that exports does.
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from trunkline.trace import CallSpan
from trunkline_server.telemetry.batch_export import BatchExport, CountingExporter, processor_settings, resource_of
from trunkline_server.telemetry.peers import Peer
from trunkline_server.telemetry.spans import span_of, spans_of
from trunkline_server.values.record import RequestRecord

# The worker encodes a batch in Python, 70 to 100 µs a span, and keeps the event loop from running meanwhile: a small
# batch gives it back after some 3 ms.
_DEFAULTS: Final = {
    "max_export_batch_size": ("MAX_EXPORT_BATCH_SIZE", 32),
    "max_queue_size": ("MAX_QUEUE_SIZE", 2048),
    "schedule_delay_millis": ("SCHEDULE_DELAY", 1000),
}


class SpanExport:
    """Builds spans and hands them to a batch processor's thread, all those of a request or none."""

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        resource: Resource,
        peers: Mapping[str, Peer],
        content: bool = False,
        max_export_batch_size: int,
        max_queue_size: int,
        schedule_delay_millis: int,
    ) -> None:
        """`content` says whether spans carry what was asked and answered, as far as records hold it."""
        self._resource = resource
        self._peers = peers
        self._content = content
        counting = CountingExporter(exporter, SpanExportResult.SUCCESS, SpanExportResult.FAILURE)
        self._processor = BatchSpanProcessor(
            cast("SpanExporter", counting),
            max_queue_size=max_queue_size,
            schedule_delay_millis=schedule_delay_millis,
            max_export_batch_size=max_export_batch_size,
            meter_provider=NoOpMeterProvider(),  # otherwise it would look for a global one
        )
        self._batches = BatchExport(
            counting, what="spans", max_queue_size=max_queue_size, close=self._processor.shutdown
        )

    @property
    def dropped(self) -> int:
        """Spans that did not fit the queue, or came after the shutdown."""
        return self._batches.dropped

    @property
    def failed(self) -> int:
        """Spans that the backend did not take."""
        return self._batches.failed

    @property
    def queued(self) -> int:
        """Spans that wait to be exported."""
        return self._batches.queued

    def take(self, record: RequestRecord) -> None:
        """Queues the request's spans, or drops them. Does not block."""
        if self._batches.has_room(1 + len(record.report.attempts)):
            self._submit(spans_of(record, self._peers, self._resource, content=self._content))

    def take_call(self, span: CallSpan) -> None:
        """Queues the span of a surface's call, or drops it. Does not block."""
        if self._batches.has_room(1):
            self._submit([span_of(span, self._resource)])

    async def shutdown(self, timeout_s: float) -> None:
        """Exports what is queued, for at most `timeout_s`; the rest is lost."""
        await self._batches.shutdown(timeout_s)

    def _submit(self, spans: Sequence[ReadableSpan]) -> None:
        self._batches.submitted(len(spans))
        for span in spans:
            self._processor.on_end(span)


def start_export(
    exporter: SpanExporter, service_name: str, peers: Mapping[str, Peer], *, content: bool = False
) -> SpanExport:
    """An export with the resource and the batch processor's settings that the OTEL_* variables give."""
    settings = processor_settings("OTEL_BSP_", _DEFAULTS)
    return SpanExport(exporter, resource=resource_of(service_name), peers=peers, content=content, **settings)
