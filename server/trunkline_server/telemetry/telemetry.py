"""What telemetry makes of a request: its place in a trace when it comes, figures and spans once it is over."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trunkline.context import CallContext
from trunkline.trace import TraceIds
from trunkline_server.telemetry.capture import Capture
from trunkline_server.telemetry.instruments import Bins
from trunkline_server.telemetry.metrics import Metrics
from trunkline_server.telemetry.tracing import Tracing
from trunkline_server.values.record import RequestRecord

if TYPE_CHECKING:
    from trunkline_server.telemetry.log_export import LogExport

logger = logging.getLogger(__name__)


class Telemetry:
    """The engine's one way to all that observes it."""

    def __init__(
        self,
        tracing: Tracing | None = None,
        metrics: Metrics | None = None,
        *,
        capture: Capture = Capture.NO_CONTENT,
        events: "LogExport | None" = None,
    ) -> None:
        """`events` takes the events that tell of content, where `capture` wants them."""
        self._tracing = tracing or Tracing()
        self._metrics = metrics
        self._events = events if capture.in_events else None
        self._captures = (capture.in_spans and self._tracing.exporting) or self._events is not None

    def admit(self, context: CallContext) -> TraceIds:
        """The request's ids and whether it is recorded, fixed from here on."""
        return self._tracing.admit(context)

    def new_span_id(self) -> int:
        """For an attempt; see RequestRecord.attempt_span_ids."""
        return self._tracing.new_span_id()

    def captures(self, trace: TraceIds) -> bool:
        """Whether the prompt and the answer are to be kept in the request's record."""
        return self._captures and trace.sampled

    def chunks_of(self, provider: str, model: str) -> Sequence[Bins]:
        """Where the seconds between two chunks of a target's stream are counted; see RequestMetrics.chunks_of."""
        return () if self._metrics is None else self._metrics.requests.chunks_of(provider, model)

    def settled(self, record: RequestRecord) -> None:
        """The request is over: counts it, and records it if its trace is. Neither blocks nor raises."""
        if self._metrics is not None:
            self._metrics.settled(record)
        self._tracing.settled(record)
        if self._events is not None and record.content is not None:
            try:
                self._events.inference(record)
            except Exception:  # a defect here must not undo the settlement of a request that went well
                logger.exception("the content of request %s could not be recorded", record.request_id)
