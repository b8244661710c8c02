"""Takes the spans of settled requests to an OTLP backend, off the path and within bounds.

Importing this module loads OpenTelemetry's SDK, so only a process that exports does.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from trunkline import __version__
from trunkline_server.telemetry.peers import Peer
from trunkline_server.telemetry.spans import spans_of
from trunkline_server.values.record import RequestRecord

logger = logging.getLogger(__name__)

# The worker encodes a batch in Python, about 70 µs a span, and keeps the event loop from running meanwhile: a small
# batch gives it back after some 2 ms. The processor reads its own defaults from these variables.
_PROCESSOR_DEFAULTS = {
    "max_export_batch_size": ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 32),
    "max_queue_size": ("OTEL_BSP_MAX_QUEUE_SIZE", 2048),
    "schedule_delay_millis": ("OTEL_BSP_SCHEDULE_DELAY", 1000),
}
_WARN_EVERY_S = 60.0
_UNNAMED_SERVICE = "unknown_service"


class CountingExporter(SpanExporter):
    """Another exporter with counters, and with a shutdown that may be repeated. Used by one thread at a time."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._closed = False
        self.taken = 0
        """Spans given to it so far, whatever became of them."""
        self.exported = 0
        """Those that the backend took."""
        self.failed = 0
        """Those that it did not take."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = SpanExportResult.FAILURE
        try:
            if not self._closed:
                result = self._exporter.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self.exported += len(spans)
            else:
                self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """Ends a running export as well, as far as the exporter can."""
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()


class SpanExport:
    """Builds the spans of settled requests and hands them to a batch processor's thread.

    What does not fit the queue is dropped, whole requests at a time, and counted: a backend that is slow or away costs
    spans, never memory or time on the event loop.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        resource: Resource,
        peers: Mapping[str, Peer],
        max_export_batch_size: int,
        max_queue_size: int,
        schedule_delay_millis: int,
    ) -> None:
        self._exporter = CountingExporter(exporter)
        self._resource = resource
        self._peers = peers
        self._max_queue_size = max_queue_size
        self._submitted = 0
        self._closed = False
        self._warned_at = -_WARN_EVERY_S
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=max_queue_size,
            schedule_delay_millis=schedule_delay_millis,
            max_export_batch_size=min(max_export_batch_size, max_queue_size),
            meter_provider=NoOpMeterProvider(),  # otherwise it would look for a global one
        )
        self.dropped = 0
        """Spans that did not fit the queue, or came after the shutdown."""

    @property
    def failed(self) -> int:
        """Spans that the backend did not take."""
        return self._exporter.failed

    @property
    def queued(self) -> int:
        """Spans that wait to be exported."""
        return self._submitted - self._exporter.taken

    def take(self, record: RequestRecord) -> None:
        """Queues the request's spans, or drops them. Does not block."""
        count = 1 + len(record.report.attempts)
        if self._closed or self.queued + count > self._max_queue_size:
            self._drop(count)
            return
        spans = spans_of(record, self._peers, self._resource)
        self._submitted += len(spans)
        for span in spans:
            self._processor.on_end(span)

    async def shutdown(self, timeout_s: float) -> None:
        """Exports what is queued, for at most `timeout_s`; the rest is lost."""
        if self._closed:
            return
        self._closed = True
        # A thread of its own, because neither the processor's end nor that of its thread can be bounded from outside;
        # a daemon, so that a backend that hangs does not hang the process.
        closing = threading.Thread(target=self._processor.shutdown, name="trunkline-spans-closing", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, timeout_s)
        if closing.is_alive():
            # Breaks off the running export; the batches after it fail at once.
            await asyncio.to_thread(self._exporter.shutdown)
        if lost := self.dropped + self._submitted - self._exporter.exported:
            logger.warning("%d spans were not exported", lost)

    def _drop(self, count: int) -> None:
        self.dropped += count
        now = time.monotonic()
        if not self._closed and now - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = now
            logger.warning("the OTLP backend does not keep up: %d spans dropped so far", self.dropped)


def start_export(exporter: SpanExporter, service_name: str, peers: Mapping[str, Peer]) -> SpanExport:
    """An export with the resource and the batch processor's settings that the OTEL_* variables give."""
    return SpanExport(exporter, resource=resource_of(service_name), peers=peers, **_processor_settings())


def resource_of(service_name: str) -> Resource:
    """This process as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES describe it, `service_name` where they don't."""
    found = Resource({SERVICE_VERSION: __version__}).merge(Resource.create())
    if str(found.attributes[SERVICE_NAME]).startswith(_UNNAMED_SERVICE):
        found = found.merge(Resource({SERVICE_NAME: service_name}))
    return found


def _processor_settings() -> dict[str, int]:
    found = {}
    for name, (variable, default) in _PROCESSOR_DEFAULTS.items():
        text = os.environ.get(variable, "").strip()
        if text and not (text.isdecimal() and int(text) > 0):
            logger.warning("%s is not a positive whole number; %d is used", variable, default)
            text = ""
        found[name] = int(text) if text else default
    return found
