"""Log lines, access lines and events with content as OTLP log records.

Importing this module loads OpenTelemetry's SDK, so only a process that exports does.
"""

import logging
import os
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from trunkline import __version__
from trunkline_server.telemetry import names
from trunkline_server.telemetry.batch_export import BatchExport, CountingExporter, processor_settings, resource_of
from trunkline_server.telemetry.content import content_attributes
from trunkline_server.telemetry.otlp import protocol_of, url_for
from trunkline_server.telemetry.peers import Peer
from trunkline_server.telemetry.spans import attempt_attributes, giver_of, response_attributes
from trunkline_server.values.record import RequestRecord

if TYPE_CHECKING:
    from trunkline_server.config.settings import TelemetrySettings

SIGNAL: Final = "logs"

_DEFAULTS: Final = {
    "max_export_batch_size": ("MAX_EXPORT_BATCH_SIZE", 64),
    "max_queue_size": ("MAX_QUEUE_SIZE", 2048),
    "schedule_delay_millis": ("SCHEDULE_DELAY", 1000),
}
_SEVERITIES: Final = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}
# What the exporters say of their own failures would be exported in turn.
_EXPORTERS: Final = "opentelemetry"
_SAMPLED, _UNSAMPLED = TraceFlags(TraceFlags.SAMPLED), TraceFlags(TraceFlags.DEFAULT)


class LogExport:
    """Hands log records to a batch processor's thread."""

    def __init__(
        self,
        exporter: LogRecordExporter,
        *,
        resource: Resource,
        peers: Mapping[str, Peer],
        max_export_batch_size: int,
        max_queue_size: int,
        schedule_delay_millis: int,
    ) -> None:
        self._peers = peers
        counting = CountingExporter(exporter, LogRecordExportResult.SUCCESS, LogRecordExportResult.FAILURE)
        provider = LoggerProvider(resource, shutdown_on_exit=False, meter_provider=NoOpMeterProvider())
        provider.add_log_record_processor(
            BatchLogRecordProcessor(
                cast("LogRecordExporter", counting),
                max_queue_size=max_queue_size,
                schedule_delay_millis=schedule_delay_millis,
                max_export_batch_size=max_export_batch_size,
                meter_provider=NoOpMeterProvider(),
            )
        )
        self._logger = provider.get_logger(names.SCOPE, __version__, names.SCHEMA_URL)
        self._batches = BatchExport(
            counting, what="log records", max_queue_size=max_queue_size, close=provider.shutdown
        )

    @property
    def dropped(self) -> int:
        """Records that did not fit the queue, or came after the shutdown."""
        return self._batches.dropped

    @property
    def failed(self) -> int:
        """Records that the backend did not take."""
        return self._batches.failed

    def access_line(self, event: str, text: str, record: RequestRecord, span_id: int, at_ns: int) -> None:
        """One line of the access log, which `event` names; it is part of the request's trace."""
        self._emit(body=text, event_name=event, at_ns=at_ns, record=record, span_id=span_id)

    def inference(self, record: RequestRecord) -> None:
        """The event that tells what was asked and answered, if the record holds it and anybody was asked."""
        attempts = record.report.attempts
        if record.content is None or not attempts:
            return
        giver = giver_of(attempts)
        index = len(attempts) - 1 if giver is None else giver
        attempt = attempts[index]
        attributes: dict[str, Any] = dict(
            attempt_attributes(record, attempt, self._peers.get(attempt.provider) or Peer(attempt.provider))
        )
        if giver is not None:
            attributes |= response_attributes(record)
        attributes |= content_attributes(record.content, record.finish_reasons)
        self._emit(
            event_name=names.INFERENCE_DETAILS_EVENT,
            attributes=attributes,
            at_ns=record.started_ns + (attempt.start_us + attempt.duration_us) * 1000,
            record=record,
            span_id=record.attempt_span_ids[index],
        )

    def log_line(self, line: logging.LogRecord) -> None:
        """One record of the process's own log."""
        if line.name.startswith(_EXPORTERS):
            return
        attributes: dict[str, Any] = {"log.logger": line.name}
        if line.exc_info and line.exc_info[0] is not None:
            attributes[names.EXCEPTION_TYPE] = line.exc_info[0].__qualname__
            # Without the exception's own text, which may quote what it is about.
            attributes["exception.stacktrace"] = "".join(traceback.format_tb(line.exc_info[2]))
        self._emit(
            body=line.getMessage(),
            attributes=attributes,
            severity=_SEVERITIES.get(line.levelno, SeverityNumber.UNSPECIFIED),
            severity_text=line.levelname,
            at_ns=int(line.created * 1e9),
        )

    async def shutdown(self, timeout_s: float) -> None:
        """Exports what is queued, for at most `timeout_s`; the rest is lost."""
        await self._batches.shutdown(timeout_s)

    def _emit(
        self,
        *,
        at_ns: int,
        body: str | None = None,
        event_name: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        severity: SeverityNumber = SeverityNumber.INFO,
        severity_text: str = "INFO",
        record: RequestRecord | None = None,
        span_id: int = 0,
    ) -> None:
        if not self._batches.has_room(1):
            return
        self._batches.submitted(1)
        context = Context()
        if record is not None:
            flags = _SAMPLED if record.trace.sampled else _UNSAMPLED
            span = SpanContext(record.trace.trace_id, span_id, is_remote=False, trace_flags=flags)
            context = set_span_in_context(NonRecordingSpan(span), context)
        self._logger.emit(
            LogRecord(
                timestamp=at_ns,
                context=context,
                severity_number=severity,
                severity_text=severity_text,
                body=body,
                attributes=attributes,
                event_name=event_name,
            )
        )


class ExportHandler(logging.Handler):
    """Gives each record of the process's log to a LogExport."""

    def __init__(self, export: LogExport) -> None:
        super().__init__()
        self._export = export

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._export.log_line(record)
        except Exception:  # noqa: BLE001 by logging's own rule a handler raises nothing
            self.handleError(record)


def open_log_export(settings: "TelemetrySettings", peers: Mapping[str, Peer]) -> LogExport:
    """An export with the resource and the batch processor's settings that the OTEL_* variables give."""
    return LogExport(
        _exporter(settings.otlp_endpoint),
        resource=resource_of(settings.service_name),
        peers=peers,
        **processor_settings("OTEL_BLRP_", _DEFAULTS),
    )


def _exporter(endpoint: str) -> LogRecordExporter:
    if protocol_of(SIGNAL, os.environ) == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import (  # noqa: PLC0415 one of the two is loaded
            OTLPLogExporter as GrpcExporter,
        )

        return GrpcExporter(endpoint=endpoint or None)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import (  # noqa: PLC0415 one of the two is loaded
        OTLPLogExporter as HttpExporter,
    )

    return HttpExporter(endpoint=url_for(SIGNAL, endpoint))
