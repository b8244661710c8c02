"""The access log as OTLP log records, beside the ledger that keeps it."""

import logging
from typing import TYPE_CHECKING

import orjson

from trunkline_server.ledger.access_log import attempt_entries, request_entry
from trunkline_server.ledger.ledger import Ledger
from trunkline_server.values.record import RequestRecord

if TYPE_CHECKING:
    from trunkline_server.telemetry.log_export import LogExport  # it loads the SDK

logger = logging.getLogger(__name__)

REQUEST_EVENT = "trunkline.request"
ATTEMPT_EVENT = "trunkline.attempt"


class ExportedLog:
    """A ledger in front of another one. Bodies are the very lines of the access log; each knows its span."""

    def __init__(self, ledger: Ledger, export: "LogExport") -> None:
        self._ledger = ledger
        self._export = export

    def record(self, record: RequestRecord) -> None:
        self._ledger.record(record)
        try:
            self._send(record)
        except Exception:  # a defect here must not undo the settlement of a request that went well
            logger.exception("the access lines of request %s could not be exported", record.request_id)

    async def close(self) -> None:
        await self._ledger.close()

    def _send(self, record: RequestRecord) -> None:
        line = orjson.dumps(request_entry(record)).decode()
        self._export.access_line(REQUEST_EVENT, line, record, record.trace.span_id, record.started_ns)
        for entry, attempt, span_id in zip(
            attempt_entries(record), record.report.attempts, record.attempt_span_ids, strict=True
        ):
            at_ns = record.started_ns + attempt.start_us * 1000
            self._export.access_line(ATTEMPT_EVENT, orjson.dumps(entry).decode(), record, span_id, at_ns)
